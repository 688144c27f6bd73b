// A real Keycloak, as a process of its own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { findFreePort } from '../../support/free-port.ts'
import { findProgram } from '../programs.ts'

export interface KeycloakServer {
  /** Where it listens. */
  readonly origin: string
  /** Where browsers find it, and what it calls itself. */
  readonly publicOrigin: string
  /** Password of its administrator, who is called `admin`. */
  readonly adminPassword: string
  close(): Promise<void>
}

/** Less time for the start, and less memory, than a server that is there to stay would take. */
const JAVA_OPTIONS = '-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC'

/** The program of Keycloak, where it is there and Java to run it. See {@link findProgram}. */
export function findKeycloak(): string | undefined {
  const program = findProgram('keycloak')
  if (program === undefined || spawnSync('java', ['-version']).status === 0) return program
  if (process.env.CI) throw new Error('java is missing')
  console.warn('skipped: there is no java.')
  return undefined
}

/**
 * Starts it on a free port of 127.0.0.1 with its database in memory, and waits until it answers.
 *
 * @param hostname - `KC_HOSTNAME`, where browsers find it. Where it listens, unless given
 */
export async function startKeycloak(program: string, hostname?: string): Promise<KeycloakServer> {
  const port = await findFreePort()
  const origin = `http://localhost:${port}`
  const publicOrigin = hostname ?? origin
  const adminPassword = randomBytes(16).toString('hex')
  const parameters = ['--optimized', '--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`]
  const child = spawn(program, ['start', ...parameters, `--hostname=${publicOrigin}`, '--cache=local'], {
    env: {
      ...process.env,
      JAVA_OPTS_APPEND: JAVA_OPTIONS,
      KC_BOOTSTRAP_ADMIN_USERNAME: 'admin',
      KC_BOOTSTRAP_ADMIN_PASSWORD: adminPassword,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A shell script with Java below it: a group of their own, so that both end together.
    detached: true,
  })
  const kill = () => killGroup(child)
  // Not even a failed run leaves it behind.
  process.once('exit', kill)
  await waitForStart(child).catch((error: unknown) => {
    kill()
    throw error
  })
  return {
    origin,
    publicOrigin,
    adminPassword,
    async close() {
      process.off('exit', kill)
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = new Promise((resolve) => child.once('exit', resolve))
      kill()
      await exited
    },
  }
}

/** It says so itself when it listens. */
function waitForStart(child: ChildProcess): Promise<void> {
  const lines: string[] = []
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(new Error(`Keycloak did not start:\n${lines.join('\n')}`, { cause }))
    child.once('error', fail)
    child.once('exit', fail)
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface(stream).on('line', (line) => {
        if (lines.push(line) > 200) lines.shift()
        if (/Listening on: http/.test(line)) resolve()
      })
    }
  })
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
