import { WIDTH, wrap } from '../src/cli/wrap.ts'

/** Tells a person what happens, line by line. */
export interface Narrator {
  title(text: string): void
  /** Begins a step; steps are numbered. */
  step(heading: string): void
  /** What was sent. */
  sent(text: string): void
  /** What came back. */
  received(text: string): void
  /** A named value that came back or was shown. */
  detail(name: string, value: string): void
  /** What it means. */
  meaning(text: string): void
  /** Text as it stands: a configuration, a list of commands. */
  block(text: string): void
  good(text: string): void
  bad(text: string): void
}

interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/**
 * Writes to a terminal or a file. Colours only on a terminal, and not where the user said no to them (no-color.org).
 *
 * @param environment - for `NO_COLOR` and `TERM`
 */
export function createNarrator(output: Terminal, environment: NodeJS.ProcessEnv): Narrator {
  const isColoured = output.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb'
  const paint = (style: keyof typeof STYLES, text: string) => (isColoured ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text)
  const line = (text = '') => void output.write(`${text}\n`)
  let steps = 0

  return {
    title: (text) => line(`\n${paint('bold', text)}`),
    step: (heading) => {
      steps += 1
      line(`\n${paint('bold', `${String(steps).padStart(2)}  ${wrap(heading, WIDTH - 4).join('\n    ')}`)}`)
    },
    sent: (text) => line(`    ${paint('cyan', '→')} ${text}`),
    received: (text) => line(`    ${paint('yellow', '←')} ${text}`),
    detail: (name, value) => line(`      ${paint('dim', `${name}:`)} ${value}`),
    meaning: (text) =>
      line(
        wrap(text, WIDTH - 4)
          .map((part) => `    ${part}`)
          .join('\n'),
      ),
    block: (text) => line(text.replace(/^(?=.)/gm, '    ')),
    good: (text) => line(`\n${paint('green', '✓')} ${text}`),
    bad: (text) => line(`\n${paint('red', '✗')} ${text}`),
  }
}
