import type { createMemoryStore } from '../../src/store/memory-store.ts'

/** Which commands of a store fail, from now on. */
export interface StoreFaults {
  /** Commands that still succeed before that. */
  left: number
  /** How many fail then. */
  failures: number
  /** Whether a command that fails is carried out all the same: its answer is lost. */
  lands: boolean
  /** The commands that failed: method and kind. */
  readonly failed: string[]
}

export const NO_FAULT = { left: Number.POSITIVE_INFINITY, failures: Number.POSITIVE_INFINITY, lands: false } as const

/** A memory store whose commands fail when a test says so, those that read included. */
export function failingStores(create: typeof createMemoryStore, faults: StoreFaults): typeof createMemoryStore {
  return (...given) => {
    const store = create(...given)
    const run = async <T>(what: string, command: () => Promise<T>): Promise<T> => {
      faults.left -= 1
      if (faults.left >= 0 || faults.left < -faults.failures) return command()
      faults.failed.push(what)
      if (faults.lands) await command()
      throw new Error('the store does not answer')
    }
    return {
      ...store,
      isReady: () => store.isReady(),
      find: (...where) => run(`find ${where[0]}`, () => store.find(...where)),
      put: (...entry) => run(`put ${entry[0]}`, () => store.put(...entry)),
      add: (...entry) => run(`add ${entry[0]}`, () => store.add(...entry)),
      replace: (...entry) => run(`replace ${entry[0]}`, () => store.replace(...entry)),
      take: (...where) => run(`take ${where[0]}`, () => store.take(...where)),
      deleteGroup: (group) => run('deleteGroup', () => store.deleteGroup(group)),
      count: (kind) => run(`count ${kind}`, () => store.count(kind)),
      list: (...what) => run(`list ${what[0]}`, () => store.list(...what)),
    }
  }
}
