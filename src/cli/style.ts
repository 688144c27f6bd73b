import { styleText } from 'node:util'

/** How a text stands out on a terminal. */
export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green'

/** Makes a text stand out, where that is possible. */
export type Paint = (style: Style, text: string) => string

/**
 * How to make texts stand out on a stream: in colours on a terminal, else not at all.
 *
 * @param stream - where the texts go
 * @param env - `NO_COLOR` and `TERM=dumb` switch colours off
 */
export function createPaint(stream: { readonly isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): Paint {
  const coloured = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  return (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text)
}
