import { run } from './run.ts'
import { createPaint } from './style.ts'
import type { Terminal } from './terminal.ts'

/**
 * Runs the command of the command line to its end.
 *
 * @returns reads the exit code: lost output may still change it
 */
export async function start(): Promise<() => number> {
  const { stdout, stderr, env } = process
  const terminal: Terminal = {
    print: (line) => void stdout.write(`${line}\n`),
    tell: (line) => void stderr.write(`${line}\n`),
    columns: stdout.isTTY === true ? stdout.columns : undefined,
    paintOutput: createPaint(stdout, env),
    paintError: createPaint(stderr, env),
  }
  let hasLostOutput = false
  // The reader may have closed the pipe, as `head` does.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || hasLostOutput) return
    hasLostOutput = true
    terminal.tell(`Standard output cannot be written: ${error.message}`)
  })
  // No reader is left.
  stderr.on('error', () => undefined)
  const code = await run(process.argv.slice(2), { env, directory: process.cwd(), terminal: stdout.isTTY === true }, terminal)
  return () => (code === 0 && hasLostOutput ? 1 : code)
}
