import { readdirSync, readFileSync } from 'node:fs'
import { PATIENCE_MS } from './patience.ts'

interface ProcessState {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** `Z` for a zombie. */
  readonly state: string
}

/** Every process of this machine, as /proc tells. */
export function listProcesses(): ProcessState[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readState(Number(name)) ?? [])
}

/** The processes that a process has started, zombies as well. */
export const childrenOf = (parent: number): ProcessState[] => listProcesses().filter((one) => one.parent === parent)

/** Whether a process runs. A zombie doesn't. */
export function isRunning(pid: number): boolean {
  const state = readState(pid)
  return state !== undefined && state.state !== 'Z'
}

function readState(pid: number): ProcessState | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in parentheses and may hold anything.
    const [state = '', parent, group] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(parent), group: Number(group), state }
  } catch {
    return undefined
  }
}

/** Resolves as soon as the condition holds; for things that nobody announces. @throws Error when it never does */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  what: string,
  milliseconds = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + milliseconds
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
