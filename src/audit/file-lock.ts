import { randomUUID } from 'node:crypto'
import { constants, copyFile, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
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
  /** @param holder - undefined where it is not known yet */
  constructor(holder: Pick<Holder, 'pid' | 'host'> | undefined) {
    super(`${holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`} writes this file already`)
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
  if (await create(lockPath, own)) return
  const holder = await readHolder(lockPath)
  if (await isHeld(holder, lockPath)) throw new FileLockedError(holder)
  await takeOver(lockPath, holder, own)
}

/**
 * Takes a lock that was found expired. Other processes may have found the same, and one of them may have taken it since.
 *
 * @param judged - what it said then
 * @throws FileLockedError when another process was faster
 */
export async function takeOver(lockPath: string, judged: Holder | undefined, own: Holder): Promise<void> {
  const moved = `${lockPath}.${own.id}`
  // Renamed first: only one process gets it, and can look at it undisturbed.
  if (!(await succeeds(rename(lockPath, moved), 'ENOENT'))) throw new FileLockedError(undefined)
  const found = await readHolder(moved)
  const isAnother = found?.id !== judged?.id || (await isHeld(found, moved))
  // Its holder may have noticed, and made the file again.
  if (isAnother) await succeeds(copyFile(moved, lockPath, constants.COPYFILE_EXCL), 'EEXIST')
  await rm(moved, { force: true })
  if (isAnother) throw new FileLockedError(found)
  if (!(await create(lockPath, own))) throw new FileLockedError(await readHolder(lockPath))
}

/** @returns false when there is one already */
function create(lockPath: string, own: Holder): Promise<boolean> {
  return succeeds(writeFile(lockPath, JSON.stringify(own), { flag: 'wx', mode: 0o600 }), 'EEXIST')
}

/** @returns false when it fails for the expected reason */
async function succeeds(task: Promise<unknown>, expected: 'EEXIST' | 'ENOENT'): Promise<boolean> {
  try {
    await task
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === expected) return false
    throw error
  }
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

/** One that was not written whole may have been made this moment. */
async function isHeld(holder: Holder | undefined, lockPath: string): Promise<boolean> {
  if (holder?.host === hostname() && (holder.pid === process.pid || !isRunning(holder.pid))) return false
  try {
    return Date.now() - (await stat(lockPath)).mtimeMs < EXPIRED_MS
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
