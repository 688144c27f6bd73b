import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { openSession, readAnswer, sendModern } from './support/mcp-requests.ts'

let gate: StdioGate
afterEach(() => gate.close())

describe('a server that answers initialize with an unknown revision', () => {
  const open = async (processPer: 'session' | 'shared') => {
    gate = await openStdioGate({ command: scripted, processPer, env: { NEGOTIATE: '2031-01-01' } })
    return gate.origin
  }

  it('is not spoken to for clients of 2026-07-28', async () => {
    const origin = await open('session')
    // Without a look at the status: on a slow machine the answer has begun as an event stream by then.
    expect((await readAnswer(sendModern(origin, 'tools/list'))).error.data.error).toBe('upstream_invalid_response')
    expect(gate.stderr.filter((line) => /^(?:told|lists)/.test(line))).toEqual([])
  })

  it('is not spoken to where all sessions share it', async () => {
    const session = await openSession(await open('shared'))
    expect([session.id, session.opened.error.data.error]).toEqual(['', 'upstream_invalid_response'])
    expect(gate.stderr.filter((line) => /^(?:told|lists)/.test(line))).toEqual([])
  })
})
