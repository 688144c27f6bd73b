/** What a method of a built-in object looks at. */
type Cost = (self: unknown, args: readonly unknown[]) => number

const one: Cost = () => 1
const whole: Cost = (self) => (self as { readonly length: number }).length
const cut: Cost = (self, [start = 0, end = Number.POSITIVE_INFINITY]) =>
  Math.max(0, Math.min(Number(end), (self as string).length) - Number(start))
const searchPlain = String.prototype.indexOf
const sought: Cost = (self, [text, from = 0]) => {
  const found = searchPlain.call(self, String(text), Number(from))
  return (found < 0 ? (self as string).length : found) - Number(from) + 1
}
const first: Cost = (_self, [argument]) => String(argument).length
/** Global and sticky ones go on where they were: methods of strings call them once for each match. */
const searched: Cost = (self, [text]) => ((self as RegExp).global || (self as RegExp).sticky ? 1 : String(text).length)

/** What reads texts and bytes, and how much of them at most. */
const costs: readonly (readonly [object, Readonly<Record<string, Cost>>])[] = [
  [
    String.prototype,
    {
      charCodeAt: one,
      charAt: one,
      slice: cut,
      indexOf: sought,
      match: whole,
      matchAll: whole,
      includes: whole,
      split: whole,
      replace: whole,
      replaceAll: whole,
      search: whole,
      trimStart: whole,
      trimEnd: whole,
      toLowerCase: whole,
      toUpperCase: whole,
    },
  ],
  [RegExp.prototype, { test: first, exec: searched }],
  [Map.prototype, { get: one, has: one, set: one }],
  [Array.prototype, { includes: whole, indexOf: whole, concat: whole }],
  [Buffer.prototype, { toString: whole }],
  [Buffer, { from: (_self, [source]) => (source as { readonly length?: number }).length ?? 1, concat: one }],
  [JSON, { parse: first }],
]

/**
 * Counts what a task looks at: characters and bytes, and members of what is looked up in. */
export function countWork(task: () => unknown): number {
  let work = 0
  const restore = costs.flatMap(([owner, methods]) =>
    Object.entries(methods).map(([name, cost]) => {
      const descriptor = Object.getOwnPropertyDescriptor(owner, name) as PropertyDescriptor
      const original = descriptor.value as (...args: unknown[]) => unknown
      Object.defineProperty(owner, name, {
        ...descriptor,
        value(this: unknown, ...args: unknown[]) {
          work += cost(this, args)
          return Reflect.apply(original, this, args)
        },
      })
      return () => Object.defineProperty(owner, name, descriptor)
    }),
  )
  try {
    task()
  } finally {
    for (const undo of restore) undo()
  }
  return work
}
