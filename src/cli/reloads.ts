import type { RunningProxy } from '../app.ts'
import type { Loaded } from '../config/load.ts'
import { systemClock } from '../core/clock.ts'
import { printReport } from './reload.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { watchFiles } from './watch-files.ts'

/** What has a running proxy read its configuration anew: SIGHUP, and changed files where the configuration says so. */
export interface Reloads {
  /** What to load from, so that it is known which files are read. */
  readonly source: Source
  begin(started: { readonly proxy: RunningProxy; readonly loaded: Loaded }): void
}

/** From now on SIGHUP ends the process no more: supervisors send it for a reload, and a terminal when it closes. */
export function createReloads(source: Source, terminal: Terminal): Reloads {
  let proxy: RunningProxy | undefined
  let paths: readonly string[] = []
  const reload = async (): Promise<void> => {
    // Before it has started, it reads the configuration anyway.
    if (proxy !== undefined) printReport(await proxy.reload(), terminal)
  }
  process.on('SIGHUP', () => void reload())
  return {
    source: {
      ...source,
      load(port, sandboxPort) {
        const loaded = source.load(port, sandboxPort)
        paths = loaded.paths
        return loaded
      },
    },
    begin({ proxy: started, loaded }) {
      proxy = started
      const list = () => [...(source.file === undefined ? [] : [source.file]), ...paths]
      if (loaded.plan.reload.watch) watchFiles({ list, clock: systemClock, onChange: () => void reload() })
    },
  }
}
