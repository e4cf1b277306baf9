import { escape } from "./chart.ts";

/** One HTML page that needs nothing but itself; `style` goes beyond what all pages share. */
export function htmlPage(title: string, body: string, style = ""): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}${style}</style>
</head>
<body>
<main>
${body}
</main>
<div id="tip" hidden></div>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** The top of a page: what it is, what it is about, and in a word how it came out. */
export function header(title: string, facts: string, holds: boolean, verdict: string): string {
  const mark =
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="9.5"/><path d="M2 16H30"/></svg>';
  const pill = `<span class="verdict ${holds ? "good" : "bad"}">${escape(verdict)}</span>`;
  return `<header>${mark}<div><h1>${escape(title)}</h1>\n<p>${escape(facts)}</p></div>${pill}</header>`;
}

/** A part of a page under a title; `keys` stand beside the title, the note below it. */
export function section(title: string, keys: string, body: string, note = ""): string {
  const text = note === "" ? "" : `<p class="note">${note}</p>`;
  return `<section><div class="head"><h2>${title}</h2>${keys}</div>${text}${body}</section>`;
}

/** Colours, type and layout of the page, light and dark. */
const STYLE = `
:root{color-scheme:light dark;--bg:#f5f6f8;--panel:#fff;--ink:#14202e;--soft:#5b6878;--rule:#e2e6eb;--grid:#eceff3;
--eth:#4457d6;--btc:#d97706;--bar:#c2410c;--fund:#0f766e;--equity:#1d6fb8;--line:#dc2626;--mark:#7c2d12;--good:#15803d;--goodbg:#dcfce7;--bad:#b91c1c;--badbg:#fee2e2;--warn:#92400e;--warnbg:#fef3c7}
@media (prefers-color-scheme:dark){:root{--bg:#0d141c;--panel:#151f2a;--ink:#e6edf5;--soft:#93a1b2;--rule:#263341;--grid:#202c39;
--eth:#8b9bff;--btc:#f5a742;--bar:#f97342;--fund:#34d3c0;--equity:#5ab0f5;--line:#f87171;--mark:#fdba74;--good:#6ee7a0;--goodbg:#123524;--bad:#fca5a5;--badbg:#451a1f;--warn:#fcd34d;--warnbg:#3b2c0d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-font-smoothing:antialiased}
main{max-width:1200px;margin:0 auto;padding:32px 20px 64px}
header{display:flex;align-items:center;gap:16px;flex-wrap:wrap;margin-bottom:24px}
header div{flex:1;min-width:260px}
h1{font-size:26px;line-height:1.2;letter-spacing:-.02em;margin:0}
header p,.note{color:var(--soft);margin:2px 0 0}
.logo{width:46px;height:46px;fill:none;stroke:var(--ink);stroke-width:2.4}
section{background:var(--panel);border:1px solid var(--rule);border-radius:14px;padding:20px 22px;margin-top:18px}
.head{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:6px 20px}
h2{font-size:18px;letter-spacing:-.01em;margin:0 0 4px}
h3{font-size:15px;margin:0;display:flex;flex-wrap:wrap;gap:0 8px}
h3 span::first-letter{text-transform:uppercase}h3 span{display:inline-block}
h3 em{font-style:normal;font-weight:400;color:var(--soft)}
.panel p{margin:0 0 6px;color:var(--soft);font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;background:none;border:0;padding:0}
.card{background:var(--panel);border:1px solid var(--rule);border-radius:14px;padding:14px 16px;display:flex;flex-direction:column}
.card span{color:var(--soft);font-size:13px}
.card strong{font-size:25px;line-height:1.3;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.card small{color:var(--soft);font-size:12.5px}
.verdict{font-size:13px;font-weight:600;padding:3px 10px;border-radius:99px;white-space:nowrap}
.good{color:var(--good);background:var(--goodbg)}.bad{color:var(--bad);background:var(--badbg)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:0;padding:0;font-size:13px;color:var(--soft)}
.legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:6px;vertical-align:middle}
.chart{margin:8px 0 0;position:relative}
.chart svg{display:block;width:100%;height:auto;overflow:visible}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr));gap:26px 28px;margin-top:14px}
.panel{display:flex;flex-direction:column}.panel .chart{margin-top:auto}
.grid{stroke:var(--grid);stroke-width:1}.grid.day{stroke:var(--rule);stroke-width:1.5}
text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
text.axis{font-size:11.5px}text.day{fill:var(--ink);font-weight:600}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round;vector-effect:non-scaling-stroke}.dashed{stroke-dasharray:5 4}
.area{opacity:.13}
.bar{fill:var(--bar)}
.mark{fill:var(--panel);stroke:var(--mark);stroke-width:1.6}
.mark:hover{fill:var(--mark)}
.cursor{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3;visibility:hidden;pointer-events:none}
#tip{position:fixed;z-index:9;pointer-events:none;background:var(--panel);border:1px solid var(--rule);border-radius:9px;padding:7px 11px;font-size:12.5px;box-shadow:0 6px 24px #0003;font-variant-numeric:tabular-nums}
#tip b{display:block;font-weight:600}#tip i{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:6px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;margin-top:6px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:12.5px}
th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--grid);white-space:nowrap}
tr:last-child td{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums}
td.n,th.n{padding-right:22px}
.numbers{font-variant-numeric:tabular-nums;color:var(--soft);font-size:12.5px}
.state{font-size:12.5px;padding:2px 8px;border-radius:99px;color:var(--good);background:var(--goodbg)}
.state.margin-call{color:var(--warn);background:var(--warnbg)}
.state.sold-whole,.state.liquidatable,.state.bankrupt{color:var(--bad);background:var(--badbg)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:0 34px;margin:6px 0 0}
dl div{display:flex;justify-content:space-between;gap:16px;border-bottom:1px solid var(--grid);padding:6px 0;font-size:13.5px}
dt{color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums;text-align:right}
`;

/** Shows the values under the reader's cursor, and stretches axes to the lines that the reader has left. */
const SCRIPT = `
const tip = document.getElementById("tip");
const write = { usd: (v) => "$" + v.toLocaleString("en-US", { maximumFractionDigits: 2 }), percent: (v) => v.toFixed(2) + " %", share: (v) => v.toFixed(2) + " %", count: (v) => v.toLocaleString("en-US"), factor: (v) => v.toFixed(2) + " ×" };
const shown = ({ group }) => document.getElementById(group)?.checked ?? true;
for (const figure of document.querySelectorAll(".chart")) {
  const source = figure.querySelector("script");
  if (!source) continue;
  const data = JSON.parse(source.textContent);
  const svg = figure.querySelector("svg");
  const cursor = figure.querySelector(".cursor");
  const read = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const share = (x - data.left) / (data.right - data.left);
    if (share < 0 || share > 1) return leave();
    const i = Math.round(share * (data.times.length - 1));
    const at = data.left + (i / (data.times.length - 1)) * (data.right - data.left);
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.style.visibility = "visible";
    tip.replaceChildren(head(data.times[i]), ...data.lines.filter(shown).map((line) => row(line, line.values[i], data.unit)));
    tip.hidden = false;
    const left = event.clientX + 16;
    tip.style.left = (left + tip.offsetWidth > innerWidth ? event.clientX - 16 - tip.offsetWidth : left) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4) + "px";
  };
  const leave = () => { tip.hidden = true; cursor.style.visibility = "hidden"; };
  svg.addEventListener("pointerdown", read);
  svg.addEventListener("pointermove", read);
  svg.addEventListener("pointerleave", leave);
  if (data.zooms) addEventListener("change", () => stretch(svg, data));
}
function stretch(svg, { zooms, zero, least, most, lines }) {
  const left = lines.filter((line) => shown(line) && (line.low < 0 || line.high > 0));
  const fits = ({ factor }) => left.every(({ low, high }) => low * factor >= least && high * factor <= most);
  const { factor, labels } = (left.length > 0 && zooms.findLast(fits)) || zooms[0];
  const move = "translate(0 " + zero * (1 - factor) + ") scale(1 " + factor + ")";
  for (const path of svg.querySelectorAll(".line")) path.setAttribute("transform", move);
  svg.querySelectorAll(".tick.y").forEach((tick, i) => { tick.textContent = labels[i]; });
}
function head(time) {
  const b = document.createElement("b");
  b.textContent = new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ");
  return b;
}
function row(line, value, unit) {
  const div = document.createElement("div");
  const dot = document.createElement("i");
  dot.style.background = "var(" + line.color + ")";
  div.append(dot, line.name + "  " + write[unit](value));
  return div;
}
`;
