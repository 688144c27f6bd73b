import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { signIn } from '../../demo/browser.ts'
import { SAMPLE_USERS, type User } from '../../src/sandbox/users.ts'
import { findProgram } from './programs.ts'

/** Undefined where it is not installed. */
export const inspector = findProgram('inspector')

const [alice] = SAMPLE_USERS

export interface InspectorRun {
  readonly exitCode: number | null
  /** What it printed, as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into whatever came
  readonly result: any
  readonly errors: string
  readonly signIns: number
}

/**
 * Runs the command line. Where it asks for a browser, `user` signs in there.
 *
 * @param home - where it keeps its registrations and tokens
 */
export async function runInspector(home: string, parameters: readonly string[], user: User = alice): Promise<InspectorRun> {
  const child = spawn(process.execPath, [inspector ?? '', '--cli', ...parameters, '--format', 'json'], {
    // A home of its own, secrets in it, and no browser: a person is played instead.
    env: {
      ...process.env,
      HOME: home,
      MCP_INSPECTOR_SECRET_STORE: 'file',
      MCP_AUTO_OPEN_ENABLED: 'true',
      BROWSER: 'true',
      DISPLAY: '',
      NO_COLOR: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise((resolve) => child.once('close', resolve))
  let output = ''
  let errors = ''
  let signIns = 0
  child.stdout.on('data', (chunk) => (output += chunk))
  createInterface(child.stderr).on('line', (line) => {
    errors += `${line}\n`
    const [, address] = /^Please navigate to: (\S+)/.exec(line) ?? []
    if (address === undefined) return
    signIns += 1
    signIn(address, user)
      .then((redirect) => fetch(redirect))
      .catch((error) => {
        errors += `the sign-in failed: ${error}`
        child.kill()
      })
  })
  await exited
  return { exitCode: child.exitCode, result: output === '' ? undefined : JSON.parse(output), errors, signIns }
}
