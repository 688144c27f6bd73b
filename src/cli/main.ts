#!/usr/bin/env node
import { findNodeTrouble } from './node-version.ts'
import { createPaint } from './style.ts'
import type { Terminal } from './terminal.ts'

const { stdout, stderr, env } = process

const terminal: Terminal = {
  print: (line) => void stdout.write(`${line}\n`),
  tell: (line) => void stderr.write(`${line}\n`),
  columns: stdout.isTTY === true ? stdout.columns : undefined,
  paintOutput: createPaint(stdout, env),
  paintError: createPaint(stderr, env),
}

let hasLostOutput = false
// Whoever reads us may have read enough, as `head` does.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || hasLostOutput) return
  hasLostOutput = true
  terminal.tell(`Standard output cannot be written: ${error.message}`)
})
// There is nobody left to be told.
stderr.on('error', () => undefined)

/** Everything else is loaded after the look at Node: an older one can't even load it. */
async function start(): Promise<number> {
  const trouble = findNodeTrouble(process.versions.node)
  if (trouble !== undefined) {
    terminal.tell(`${terminal.paintError('red', 'error')} ${trouble}`)
    return 1
  }
  const { run } = await import('./run.ts')
  return run(process.argv.slice(2), { env, directory: process.cwd(), terminal: stdout.isTTY === true }, terminal)
}

const code = await start()
// Sockets of others must not keep us. What was written should get out, unless nobody takes it.
const leave = () => process.exit(code === 0 && hasLostOutput ? 1 : code)
stdout.write('', leave)
setTimeout(leave, 500)
