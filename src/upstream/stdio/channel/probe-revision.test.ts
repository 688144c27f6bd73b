import { describe, expect, it } from 'vitest'
import { createFakeSource, type FakeSource, settle } from '../../../../test/support/fake-processes.ts'
import { initialize } from './initialize.ts'
import { probeRevision } from './probe-revision.ts'

const initialized = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 's', version: '1' } }

/** Probes a server that answers each method as told; `undefined` is silence. */
function probe(answers: Record<string, object | undefined>, source: FakeSource = createFakeSource()) {
  source.onRead = (process, { id, method }) => {
    const answer = answers[method]
    if (answer) queueMicrotask(() => process.say({ id, ...answer }))
  }
  return { source, probing: probeRevision(source, { key: 'alice' }, 30_000) }
}

describe('what a server speaks', () => {
  it.each([
    [{ result: { supportedVersions: ['2026-07-28', '2027-01-01', 5, 'x'.repeat(33)] } }, ['2026-07-28', '2027-01-01']],
    [{ error: { code: -32022, message: '', data: { supported: ['2027-01-01'] } } }, ['2027-01-01']],
    [{ error: { code: -32021, message: '' } }, ['2026-07-28']],
    [{ error: { code: -32020, message: '' } }, ['2026-07-28']],
  ])('is modern by its answer to server/discover: %j', async (answer, revisions) => {
    const { source, probing } = probe({ 'server/discover': answer })
    const { protocol, channel } = await probing
    expect(protocol).toEqual({ kind: 'modern', revisions })
    expect([channel?.isOver, source.processes.length]).toEqual([false, 1])
  })

  it.each([{ error: { code: -32601, message: '' } }, { error: { code: -32000, message: '' } }, { result: {} }])(
    'is legacy with any other answer, and the process that was asked serves on: %j',
    async (answer) => {
      const { protocol, channel } = await probe({ 'server/discover': answer }).probing
      expect([protocol, channel?.isOver]).toEqual([{ kind: 'legacy' }, false])
    },
  )

  it('is asked the legacy way after five seconds of silence, and that process serves no client', async () => {
    const { source, probing } = probe({ initialize: { result: initialized } })
    await settle()
    source.clock.advance(4999)
    await settle()
    expect(source.processes[0]!.read).toHaveLength(1)
    source.clock.advance(1)
    const { protocol, channel } = await probing
    expect([protocol, channel, source.processes[0]!.isOver]).toEqual([{ kind: 'legacy' }, undefined, true])
  })

  describe('that is slow to start', () => {
    const slow = async () => {
      const source = createFakeSource()
      const probing = probeRevision(source, { key: 'alice' }, 30_000, { capabilities: { roots: {} } })
      await settle()
      source.clock.advance(6000)
      await settle()
      const [process] = source.processes
      const answer = async (id: number, outcome: object) => {
        process!.say({ id, ...outcome })
        await settle()
      }
      return { source, probing, process: process!, answer }
    }
    const discovery = { result: { supportedVersions: ['2026-07-28'] } }
    const refusal = { error: { code: -32601, message: '' } }

    it('and legacy goes on with the process that was asked, which is initialized once', async () => {
      const { probing, process, answer } = await slow()
      await answer(1, refusal)
      const { protocol, channel } = await probing
      expect([protocol.kind, channel?.isOver]).toEqual(['legacy', false])
      expect(process.read[1]).toMatchObject({ method: 'initialize', params: { capabilities: { roots: {} } } })
      const response = initialize(channel!, { capabilities: { roots: {} } })
      await answer(2, { result: initialized })
      expect([(await response)?.result, process.read.length]).toEqual([initialized, 2])
      expect(initialize(channel!, { capabilities: {} })).toBeUndefined()
    })

    it('and modern goes on with it where it refuses to initialize', async () => {
      const { probing, answer } = await slow()
      await answer(1, discovery)
      await answer(2, refusal)
      const { protocol, channel } = await probing
      expect([protocol.kind, channel?.isOver]).toEqual(['modern', false])
    })

    it('and of both eras is started again, since it speaks the older one from then on', async () => {
      const { probing, process, answer } = await slow()
      await answer(1, discovery)
      await answer(2, { result: initialized })
      expect(await probing).toMatchObject({ protocol: { kind: 'modern' }, channel: undefined })
      expect(process.isOver).toBe(true)
    })

    it('and modern is started again where it does not answer that for five seconds, or ends', async () => {
      for (const end of ['silent', 'gone']) {
        const { source, probing, process, answer } = await slow()
        await answer(1, discovery)
        if (end === 'silent') source.clock.advance(5000)
        else process.die()
        expect(await probing).toMatchObject({ protocol: { kind: 'modern' }, channel: undefined })
      }
    })
  })

  it('is legacy when it ends over the question and then initializes', async () => {
    const source = createFakeSource()
    const { probing } = probe({ initialize: { result: initialized } }, source)
    await settle()
    source.processes[0]!.die()
    expect(await probing).toEqual({ protocol: { kind: 'legacy' }, channel: undefined })
    expect(source.processes.map(({ read }) => read[0].method)).toEqual(['server/discover', 'initialize'])
    expect([source.processes[1]!.isOver, source.givenUp]).toEqual([true, 0])
  })

  it('stays unknown when it answers nothing in time, and the operator hears of it', async () => {
    const { source, probing } = probe({})
    const failed = expect(probing).rejects.toMatchObject({ code: 'upstream_timeout' })
    await settle()
    source.clock.advance(5000)
    await settle()
    source.clock.advance(25_000)
    await failed
    expect(source.silences).toBe(1)
  })

  it('stays unknown when it ends and then refuses to initialize', async () => {
    const source = createFakeSource()
    const { probing } = probe({ initialize: { error: { code: -32000, message: '' } } }, source)
    const failed = expect(probing).rejects.toMatchObject({ code: 'upstream_invalid_response' })
    await settle()
    source.processes[0]!.die()
    await failed
    expect(source.givenUp).toBe(1)
  })
})
