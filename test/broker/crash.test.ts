// A proxy that is killed in the middle of things, with the store that it has by default.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tellCrashes } from '../support/crash-story.ts'

describe('a proxy that is killed, with SQLite', { timeout: 60_000 }, () => {
  const story = tellCrashes(60, async (folder) => ({ kind: 'sqlite', path: join(folder, 'broker.db') }))

  it('leaves a file in which no secret can be read', () => {
    const read = (name: string) => readFileSync(join(story.folder(), name)).toString('latin1')
    const bytes = read('broker.db') + read('broker.db-wal')
    expect(bytes).toContain('AuthorizationCode')
    const secrets = [...story.seen, ...story.profile().listSecrets()]
    expect(secrets.length).toBeGreaterThan(100)
    for (const secret of secrets) expect(bytes).not.toContain(secret)
    expect(bytes).not.toContain('"d":')
    expect(bytes).not.toContain('alice@example.com')
  })
})
