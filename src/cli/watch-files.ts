import { stat } from 'node:fs/promises'
import type { CancelTimer, Clock } from '../core/clock.ts'

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
  let isWatching = true
  let cancel: CancelTimer = () => {}
  // One look begins after the other has ended: a network file system may take longer than a second.
  const look = async (): Promise<void> => {
    const state = (await Promise.all(list().map(describeFile))).join('\n')
    if (!isWatching) return
    cancel = clock.after(LOOK_MS, () => void look())
    settled ??= state
    if (state === last && state !== settled) {
      settled = state
      onChange()
    }
    last = state
  }
  void look()
  return () => {
    isWatching = false
    cancel()
  }
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
