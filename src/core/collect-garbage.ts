import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * `minor`: what was allocated a moment ago, in a millisecond or two. `major`: all of the heap, in some tens of them. `compacting`: all of the
 * heap, twice, and what is left is moved together, so that pages go back to the system.
 */
export type Extent = 'minor' | 'major' | 'compacting'

interface Collection {
  readonly type: 'minor' | 'major'
  /** V8 then gives memory back before it fails to get any: a `major` collection keeps pages of which little is in use. */
  readonly flavor?: 'last-resort'
}

type Collect = (collection: Collection) => void

const COLLECTIONS: Readonly<Record<Extent, Collection>> = {
  minor: { type: 'minor' },
  major: { type: 'major' },
  compacting: { type: 'major', flavor: 'last-resort' },
}

let collect: Collect | undefined

/** Collects garbage now. V8 does so by itself when what it counts has grown, which for what is beside its heap is late or never. */
export function collectGarbage(extent: Extent): void {
  collect ??= exposeCollector()
  collect(COLLECTIONS[extent])
}

/** V8 gives its collector to contexts that are made while the flag is set: no flag of the command line is needed, and no other code sees it. */
function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc')
  const exposed = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return exposed
}
