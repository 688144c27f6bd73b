import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPrincipal } from '../../test/support/policies.ts'
import type { ChangingList } from '../core/declared-capabilities.ts'
import { openSessionId, sealSessionId } from './session-id.ts'
import { createSessionSeal } from './session-seal.ts'

const seal = createSessionSeal(randomBytes(32))
const alice = createPrincipal({ subject: 'alice' })
const nothing = { listChanged: [], urlElicitation: false }
const declaration = fc.record({
  listChanged: fc.subarray<ChangingList>(['tools', 'prompts', 'resources']),
  urlElicitation: fc.boolean(),
})

describe('a sealed session id', () => {
  it('tells any server what was declared, whatever the id looks like', () => {
    fc.assert(
      fc.property(fc.string(), declaration, (id, declared) => {
        const sealed = sealSessionId(seal, { id, declared }, 'files', alice)
        expect(openSessionId(seal, sealed, 'files', alice)).toEqual({ id, declared })
      }),
    )
  })

  it('is the one of earlier versions where nothing was declared, and theirs open', () => {
    const before = seal.seal('abc', 'mcp-session', 'files', alice)
    expect(sealSessionId(seal, { id: 'abc', declared: nothing }, 'files', alice)).toBe(before)
    expect(openSessionId(seal, before, 'files', alice)).toEqual({ id: 'abc', declared: nothing })
    expect(openSessionId(seal, seal.seal('1fabc', 'mcp-session', 'files', alice), 'files', alice)).toEqual({
      id: '1fabc',
      declared: nothing,
    })
  })

  const declared = { listChanged: ['tools'] as const, urlElicitation: false }
  const sealed = sealSessionId(seal, { id: 'abc', declared }, 'files', alice)
  it.each<[string, string, string, typeof alice]>([
    ['another user', sealed, 'files', createPrincipal({ subject: 'mallory' })],
    ['another server', sealed, 'mail', alice],
    ['a client that adds a flag', sealed.replace('.11', '.13'), 'files', alice],
    ['a client that removes the flags', sealed.replace('.11', '.'), 'files', alice],
    ['this version where a later one gave it', seal.seal('2fabc', 'mcp-session-declared', 'files', alice), 'files', alice],
    ['anybody where its flags are none', seal.seal('1xabc', 'mcp-session-declared', 'files', alice), 'files', alice],
    ['anybody where it is empty', seal.seal('', 'mcp-session-declared', 'files', alice), 'files', alice],
    ['anybody where a task has it', seal.seal('11abc', 'task', 'files', alice), 'files', alice],
  ])('does not open for %s', (_who, text, server, principal) => {
    expect(sealed).toContain('.11abc')
    expect(openSessionId(seal, text, server, principal)).toBeUndefined()
  })
})
