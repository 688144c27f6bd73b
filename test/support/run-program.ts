import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** Runs a program to its end, with these variables beside PATH. */
export async function runProgram(program: string, parameters: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(program, parameters, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, output, error }
}
