import { utc } from "./format.ts";

/** A line of a chart: one value for each time. */
export interface Line {
  name: string;
  color: string; // CSS variable
  values: readonly number[];
  dashed?: boolean;
  filled?: boolean; // whether the area below it is tinted
  group?: string; // id of the checkbox that shows and hides it
}

/** What a chart shows. */
export interface ChartOptions {
  title: string; // for readers who cannot see it
  times: readonly number[]; // [s]
  lines: readonly Line[];
  width: number;
  height: number;
  unit: Unit;
  axis: string; // what the vertical axis measures
  marks?: readonly Mark[];
  fromZero?: boolean;
  zooms?: boolean; // whether the page's script stretches the vertical axis to the lines that are shown
}

/** How numbers are written. */
export type Unit = "usd" | "percent" | "share" | "factor" | "count"; // percent of a change, share of a whole

/** A point in time worth a mark: a slice that was sold. */
export interface Mark {
  time: number;
  label: string;
}

interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

interface Scale {
  (value: number): number;
}

const MARGIN = { left: 58, right: 14, top: 22, bottom: 24 };
const HOUR = 3600;
const DAY = 24 * HOUR;
const ZOOMS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]; // of an axis whose ticks stay round
const TIME_STEPS = [300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY] as const;

/** Lines over time as SVG, with what the page's script needs to read values off it. */
export function lineChart(options: ChartOptions): string {
  const { times, lines, unit, marks = [] } = options;
  const frame = frameOf(options);
  const x = timeScale(times, frame);
  const [low, high] = range(lines, options.fromZero ?? false);
  const ticks = niceTicks(low, high, Math.max(3, Math.round(frame.height / 65)));
  const y = scale([Math.min(low, ticks[0] ?? low), Math.max(high, ticks.at(-1) ?? high)], [frame.bottom, frame.top]);
  const drawn = lines.map((line) => drawLine(line, times, x, y, frame)).join("");
  const first = lines[0];
  const points = first === undefined ? "" : marks.map((m) => drawMark(m, first, times, x, y)).join("");
  const body = gridY(ticks, y, frame, unit) + gridX(times, x, frame) + drawn + points;
  const zooms = options.zooms === true ? zoomsOf(ticks, y, frame, unit) : undefined;
  return figure(options, frame, body, { ...readings(options, frame), ...zooms });
}

/** Bars over time: how many of `events` fall into each `bucket` [s]. */
export function barChart(
  options: Omit<ChartOptions, "lines" | "marks">,
  events: readonly number[],
  bucket: number,
): string {
  const { times } = options;
  const frame = frameOf(options);
  const x = timeScale(times, frame);
  const start = times[0] ?? 0;
  const buckets = Math.max(1, Math.ceil(((times.at(-1) ?? start) - start + 1) / bucket));
  const counts = new Array<number>(buckets).fill(0);
  for (const time of events) {
    const i = Math.min(buckets - 1, Math.max(0, Math.floor((time - start) / bucket)));
    counts[i] = (counts[i] ?? 0) + 1;
  }
  const ticks = niceTicks(0, Math.max(4, ...counts), 3);
  const y = scale([0, Math.max(ticks.at(-1) ?? 1, ...counts)], [frame.bottom, frame.top]);
  const bars = counts.map((count, i) => {
    if (count === 0) return "";
    const from = x(start + i * bucket);
    const width = Math.max(1.5, Math.min(x(start + (i + 1) * bucket), frame.right) - from - 1);
    const height = frame.bottom - y(count);
    const title = `${utc(start + i * bucket)}: ${count} slices`;
    return `<rect class="bar" x="${fixed(from)}" y="${fixed(y(count))}" width="${fixed(width)}" height="${fixed(height)}" rx="1"><title>${title}</title></rect>`;
  });
  const labels = gridY(ticks, y, frame, undefined) + gridX(times, x, frame);
  return figure(options, frame, labels + bars.join(""), undefined);
}

// ---------------------------------------------------------------- parts

function figure({ title, axis }: { title: string; axis: string }, frame: Frame, body: string, data: unknown): string {
  const json =
    data === undefined
      ? ""
      : `<script type="application/json">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`;
  const cursor = data === undefined ? "" : `<line class="cursor" y1="${frame.top}" y2="${frame.bottom}"/>`;
  return [
    `<figure class="chart"><svg viewBox="0 0 ${frame.width} ${frame.height}" role="img" aria-label="${escape(title)}">`,
    `<text class="axis" x="${frame.left}" y="12">${escape(axis)}</text>${body}${cursor}</svg>${json}</figure>`,
  ].join("");
}

function drawLine(line: Line, times: readonly number[], x: Scale, y: Scale, frame: Frame): string {
  const points = thin(line.values, Math.round((frame.right - frame.left) * 1.2));
  const at = (i: number) => `${fixed(x(times[i] ?? 0))} ${fixed(y(line.values[i] ?? 0), 3)}`;
  const path = `M${points.map(at).join("L")}`;
  const names = ["line", line.dashed === true ? "dashed" : "", line.group ?? ""].filter((name) => name !== "");
  const stroke = `<path class="${names.join(" ")}" style="stroke:var(${line.color})" d="${path}"/>`;
  if (line.filled !== true) return stroke;
  const floor = fixed(frame.bottom);
  const ends = `L${fixed(x(times.at(-1) ?? 0))} ${floor}L${fixed(x(times[0] ?? 0))} ${floor}Z`;
  return `<path class="area" style="fill:var(${line.color})" d="${path}${ends}"/>${stroke}`;
}

function drawMark({ time, label }: Mark, line: Line, times: readonly number[], x: Scale, y: Scale): string {
  const i = Math.max(
    0,
    times.findIndex((t) => t >= time),
  );
  const [cx, cy] = [fixed(x(time)), fixed(y(line.values[i] ?? 0))];
  return `<circle class="mark" cx="${cx}" cy="${cy}" r="3.2"><title>${escape(label)}</title></circle>`;
}

function gridY(ticks: readonly number[], y: Scale, frame: Frame, unit: Unit | undefined): string {
  return ticks
    .map((tick) => {
      const at = fixed(y(tick));
      const grid = `<line class="grid" x1="${frame.left}" x2="${frame.right}" y1="${at}" y2="${at}"/>`;
      return `${grid}<text class="tick y" x="${frame.left - 7}" y="${at}" dy="0.32em" text-anchor="end">${tickLabel(tick, unit)}</text>`;
    })
    .join("");
}

function gridX(times: readonly number[], x: Scale, frame: Frame): string {
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const wanted = Math.max(5, Math.floor((frame.right - frame.left) / 72));
  const step = TIME_STEPS.find((s) => (last - first) / s <= wanted) ?? DAY;
  let labels = "";
  for (let t = Math.ceil(first / step) * step; t <= last; t += step) {
    const at = fixed(x(t));
    const midnight = t % DAY === 0;
    const text = midnight ? utc(t).slice(5, 10) : utc(t).slice(11);
    labels += `<line class="grid x${midnight ? " day" : ""}" x1="${at}" x2="${at}" y1="${frame.top}" y2="${frame.bottom}"/>`;
    labels += `<text class="tick${midnight ? " day" : ""}" x="${at}" y="${frame.bottom + 16}" text-anchor="middle">${text}</text>`;
  }
  return labels;
}

/** Values at about every second pixel, for the reader's cursor. */
function readings({ times, lines, unit }: ChartOptions, frame: Frame): object {
  const count = Math.min(times.length, Math.round((frame.right - frame.left) / 2));
  const at = Array.from({ length: count }, (_, i) => Math.round((i * (times.length - 1)) / Math.max(1, count - 1)));
  return {
    left: frame.left,
    right: frame.right,
    unit,
    times: at.map((i) => times[i] ?? 0),
    lines: lines.map(({ name, color, group, values }) => ({
      ...{ name, color, group },
      ...{ low: values.reduce((a, b) => Math.min(a, b), 0), high: values.reduce((a, b) => Math.max(a, b), 0) },
      values: at.map((i) => Number((values[i] ?? 0).toFixed(2))),
    })),
  };
}

/** How far the vertical axis can be stretched about zero, what its ticks say then, and what it holds unstretched. */
function zoomsOf(ticks: readonly number[], y: Scale, frame: Frame, unit: Unit): object {
  const perPixel = (y(0) - y(1)) ** -1;
  return {
    ...{ zero: y(0), least: (y(0) - frame.bottom) * perPixel, most: (y(0) - frame.top) * perPixel },
    zooms: ZOOMS.map((factor) => ({ factor, labels: ticks.map((tick) => tickLabel(tick / factor, unit)) })),
  };
}

// ---------------------------------------------------------------- arithmetic

function frameOf({ width, height }: { width: number; height: number }): Frame {
  const { left, right, top, bottom } = MARGIN;
  return { width, height, left, right: width - right, top, bottom: height - bottom };
}

function timeScale(times: readonly number[], frame: Frame): Scale {
  return scale([times[0] ?? 0, times.at(-1) ?? 1], [frame.left, frame.right]);
}

function scale([a, b]: readonly [number, number], [from, to]: readonly [number, number]): Scale {
  const span = b === a ? 1 : b - a;
  return (value) => from + ((value - a) / span) * (to - from);
}

function range(lines: readonly Line[], fromZero: boolean): [number, number] {
  let low = fromZero ? 0 : Infinity;
  let high = -Infinity;
  for (const { values } of lines) {
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (fromZero && -low < high / 50) low = 0; // a speck below zero is worth no tick
  return low === high ? [low, low + 1] : [low, high];
}

/** About `count` round numbers that cover a range. */
function niceTicks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((m) => m * power >= raw) ?? 10) * power;
  const ticks: number[] = [];
  for (let i = Math.floor(low / step + 1e-9); i <= Math.ceil(high / step - 1e-9); i++) ticks.push(i * step);
  return ticks;
}

/** Indices of at most `most` values and the last one: of each stretch its first, lowest and highest. */
function thin(values: readonly number[], most: number): number[] {
  const stretch = Math.max(1, Math.ceil((values.length * 3) / most));
  const kept = new Set<number>();
  for (let from = 0; from < values.length; from += stretch) {
    const to = Math.min(values.length, from + stretch);
    let [lowest, highest] = [from, from];
    for (let i = from; i < to; i++) {
      if ((values[i] ?? 0) < (values[lowest] ?? 0)) lowest = i;
      if ((values[i] ?? 0) > (values[highest] ?? 0)) highest = i;
    }
    kept.add(from).add(lowest).add(highest);
  }
  kept.add(values.length - 1);
  return [...kept].sort((a, b) => a - b);
}

function tickLabel(value: number, unit: Unit | undefined): string {
  if (unit === "percent") return `${value > 0 ? "+" : ""}${trim(value)} %`;
  if (unit === "share") return `${trim(value)} %`;
  if (unit === "factor") return `${trim(value)} ×`;
  const size = Math.abs(value);
  const text = size >= 1e6 ? `${trim(value / 1e6)} M` : size >= 1e4 ? `${trim(value / 1e3)} k` : trim(value);
  return unit === "usd" ? `$${text}`.replace("$-", "-$") : text;
}

function trim(value: number): string {
  return Number(value.toFixed(3)).toLocaleString("en-US", { maximumFractionDigits: 3 });
}

function fixed(value: number, digits = 1): string {
  return Number(value.toFixed(digits)).toString();
}

/** Text that is safe inside HTML. */
export function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
