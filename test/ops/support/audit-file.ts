import { readFileSync } from 'node:fs'

interface AuditRecord {
  readonly type: string
  readonly operations?: readonly { readonly id?: string }[]
}

/** How often audit files name each request, by its JSON-RPC id. */
export function countAudited(files: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const file of files) {
    for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
      const { type, operations = [] } = JSON.parse(line) as AuditRecord
      if (type !== 'request') continue
      for (const { id = 'null' } of operations) {
        const name = String(JSON.parse(id))
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    }
  }
  return counts
}

/** Ids that are not named exactly once. */
export function listMiscounted(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].filter(([, count]) => count !== 1).map(([name]) => name)
}
