import { stat } from 'node:fs/promises'
import type { Clock } from '../core/clock.ts'

/** Files are looked at this often. Notifications of the system would miss network file systems, mounts, and folders that are replaced. */
const LOOK_MS = 1000

export interface WatchedFiles {
  /** Absolute paths; may change. */
  readonly list: () => readonly string[]
  readonly clock: Clock
  /** Called when files have changed and stayed the same for one look: editors and volumes change several in a row. */
  readonly onChange: () => void
}

/**
 * Watches what files hold now, whatever is behind them: a mounted ConfigMap is a link to a link, which Kubernetes turns over in one step.
 *
 * @returns stops watching
 */
export function watchFiles({ list, clock, onChange }: WatchedFiles): () => void {
  let settled: string | undefined
  let last: string | undefined
  let isLooking = false
  const look = async (): Promise<void> => {
    if (isLooking) return
    isLooking = true
    const state = (await Promise.all(list().map(describeFile))).join('\n')
    isLooking = false
    settled ??= state
    if (state === last && state !== settled) {
      settled = state
      onChange()
    }
    last = state
  }
  void look()
  return clock.every(LOOK_MS, () => void look())
}

/** Which file is there and when it was written; a link counts as what it leads to. */
async function describeFile(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch {
    return `${path} cannot be read`
  }
}
