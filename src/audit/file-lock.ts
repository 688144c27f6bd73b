import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'

/** A lock that was not renewed for so long belongs to a process that is gone: its host may be another container. */
const EXPIRED_MS = 10_000

/** What a lock file says. */
interface Holder {
  readonly pid: number
  readonly host: string
  readonly id: string
}

/** Another process writes the file. */
export class FileLockedError extends Error {
  constructor({ pid, host }: Pick<Holder, 'pid' | 'host'>) {
    super(`process ${pid} on ${host} writes this file already`)
  }
}

/** One writer at a time: two would interleave their lines, and each would break the other's chain. */
export interface FileLock {
  /** Renews the lock. @throws FileLockedError when another process has taken it meanwhile */
  renew(): Promise<void>
  release(): Promise<void>
}

/** Files that this process writes: its own id says nothing about them. */
const ownPaths = new Set<string>()

/**
 * @param path - of the file; the lock stands beside it
 * @throws FileLockedError, or the error of the file system
 */
export async function lockFile(path: string): Promise<FileLock> {
  const own: Holder = { pid: process.pid, host: hostname(), id: randomUUID() }
  if (ownPaths.has(path)) throw new FileLockedError(own)
  const lockPath = `${path}.lock`
  ownPaths.add(path)
  try {
    await take(lockPath, own)
  } catch (error) {
    ownPaths.delete(path)
    throw error
  }
  return {
    async renew() {
      const holder = await readHolder(lockPath)
      // A deleted folder comes back without the lock.
      if (holder === undefined) await writeFile(lockPath, JSON.stringify(own), { flag: 'wx', mode: 0o600 })
      else if (holder.id !== own.id) throw new FileLockedError(holder)
      else await utimes(lockPath, new Date(), new Date())
    },
    async release() {
      ownPaths.delete(path)
      if ((await readHolder(lockPath))?.id === own.id) await rm(lockPath, { force: true })
    },
  }
}

async function take(lockPath: string, own: Holder): Promise<void> {
  try {
    await writeFile(lockPath, JSON.stringify(own), { flag: 'wx', mode: 0o600 })
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = await readHolder(lockPath)
  if (holder !== undefined && (await isAlive(holder, lockPath))) throw new FileLockedError(holder)
  // Renamed first: of several processes that find it expired, one gets it.
  const expired = `${lockPath}.${own.id}`
  await rename(lockPath, expired)
  await rm(expired, { force: true })
  await writeFile(lockPath, JSON.stringify(own), { flag: 'wx', mode: 0o600 })
}

/** @returns undefined when there is none, or one that was not written whole */
async function readHolder(lockPath: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(lockPath, 'utf8')) as Holder
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function isAlive({ pid, host }: Holder, lockPath: string): Promise<boolean> {
  if (host === hostname() && (pid === process.pid || !isRunning(pid))) return false
  const { mtimeMs } = await stat(lockPath)
  return Date.now() - mtimeMs < EXPIRED_MS
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
