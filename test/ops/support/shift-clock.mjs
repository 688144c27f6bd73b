// Preloaded (`node --import`) into a process whose clock is wrong by as many seconds as CLOCK_SHIFT_SECONDS says.
const shiftMs = Number(process.env.CLOCK_SHIFT_SECONDS) * 1000
const now = Date.now
Date.now = () => now() + shiftMs
globalThis.Date = new Proxy(Date, {
  construct: (target, parameters) => Reflect.construct(target, parameters.length === 0 ? [target.now()] : parameters),
})
