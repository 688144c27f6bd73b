import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { IMAGE } from '../../../deploy/image/image-config.ts'

/** A process of an image, as a container engine would start it. */
export interface Contained {
  /** Of the process on this machine. */
  readonly pid: number
  readonly written: { output: string; error: string }
  readonly exit: Promise<number | null>
  /** Does nothing once it has ended. */
  stop(signal: NodeJS.Signals): void
}

/**
 * Runs a program in a root file system: read-only, as the image's user, with its variables and without capabilities, as the first process of its namespace, on the
 * network of this machine. Needs root.
 */
export async function runContained(
  rootfs: string,
  image: typeof IMAGE,
  argv: readonly string[],
  { env = {}, mounts = {} }: { env?: Record<string, string>; mounts?: Record<string, string> } = {},
): Promise<Contained> {
  const bound = Object.entries(mounts).map(([path, from]) => `mount --bind '${from}' "$R${path}"`)
  const devices = ['null c 1 3', 'urandom c 1 9', 'random c 1 8'].map(
    (device) => `mknod -m 666 "$R/dev/${device.split(' ')[0]}" ${device.slice(device.indexOf(' ') + 1)}`,
  )
  const script = [
    'mount --bind "$R" "$R"',
    ...bound,
    'mount -t tmpfs tmpfs "$R/dev"',
    ...devices,
    'mount -t proc proc "$R/proc"',
    'mount -o remount,ro,bind "$R"',
    `exec setpriv --no-new-privs env ${formatVariables(image.env)} chroot --userspec=${image.user}:${image.user} --groups=${image.user} "$R" "$@"`,
  ].join(' && ')
  const child = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...argv], {
    env: { PATH: process.env.PATH, R: rootfs, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const written = { output: '', error: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.error += text
  })
  const exit = once(child, 'close').then(([code]) => code as number | null)
  const pid = await findInner(child)
  return { pid, written, exit, stop: (signal) => void (child.exitCode === null && process.kill(pid, signal)) }
}

/** For `env`, so that only `chroot` has them beside the program: this machine may lack what they name. */
function formatVariables(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `'${name}=${value}'`)
    .join(' ')
}

/** The one child of `unshare`. */
async function findInner(outer: ChildProcess): Promise<number> {
  while (outer.exitCode === null) {
    const [pid] = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').split(' ')
    if (pid) return Number(pid)
    await wait(10)
  }
  return 0
}
