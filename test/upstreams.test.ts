import { fileURLToPath } from 'node:url'
import { DIRECT } from '../src/core/plan/egress-plan.ts'
import { createHttpUpstream } from '../src/upstream/http-upstream.ts'
import { startSuiteServer } from './conformance/server/suite-server.ts'
import { testUpstream } from './contract/upstream.ts'
import { openGate, openStdioGate } from './support/gate.ts'

const program = fileURLToPath(new URL('./conformance/server/suite-server-stdio.ts', import.meta.url))

testUpstream('HTTP', async () => {
  const server = await startSuiteServer()
  const plan = {
    kind: 'http' as const,
    url: server.url,
    socket: undefined,
    headers: {},
    connectSeconds: 5,
    responseSeconds: 60,
    heartbeatSeconds: 0,
    followSlashRedirects: false,
    ca: undefined,
    egress: DIRECT,
  }
  const gate = await openGate({ streamable_http: createHttpUpstream(plan) }, { upstreamUrl: server.url })
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= gate.close()
    return closed
  }
  return {
    gate: { ...gate, close },
    close: async () => {
      await close()
      await server.close()
    },
  }
})

testUpstream('stdio', async () => {
  const gate = await openStdioGate({ command: [process.execPath, program] })
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= gate.close()
    return closed
  }
  return { gate: { ...gate, close }, close }
})
