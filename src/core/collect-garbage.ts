import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** `minor`: what was allocated a moment ago, in a millisecond or two. `major`: all of the heap, in some tens of them. */
export type Extent = 'minor' | 'major'

type Collect = (options: { readonly type: Extent }) => void

let collect: Collect | undefined

/** Collects garbage now. V8 does so by itself when what it counts has grown, which for what is beside its heap is late or never. */
export function collectGarbage(extent: Extent): void {
  collect ??= exposeCollector()
  collect({ type: extent })
}

/** V8 gives its collector to contexts that are made while the flag is set: no flag of the command line is needed, and no other code sees it. */
function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc')
  const exposed = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return exposed
}
