/** Loaded before a program, has its wall clock jump at each SIGUSR2, by CLOCK_JUMPS [ms, one after the other, against the true time]. */
const jumps = (process.env.CLOCK_JUMPS ?? "").split(",").filter((jump) => jump !== "");

if (jumps.length > 0) {
  let offset = 0; // [ms]
  const trueTime = Date.now.bind(Date);
  Date.now = () => trueTime() + offset;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args: readonly number[]): Date =>
      Reflect.construct(target, args.length === 0 ? [target.now()] : args) as Date,
  });
  process.on("SIGUSR2", () => (offset = Number(jumps.shift() ?? 0)));
}
