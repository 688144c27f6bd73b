import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:https'
import { afterEach, describe, expect, it } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { DIRECT } from '../core/plan/egress-plan.ts'
import { closeServer, listenOnLoopback } from '../sandbox/listen.ts'
import { fetchCertificateEnd } from './certificate.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

describe('the certificate of a server', () => {
  it('counts for nothing when it is signed by an untrusted authority', async () => {
    const server = createServer(createCertificate())
    const port = await listenOnLoopback(server, 0)
    open.push(() => closeServer(server))
    await expect(fetchCertificateEnd(`https://localhost:${port}`, DIRECT)).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
    await expect(fetchCertificateEnd(`https://127.0.0.1:${port}`, DIRECT)).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
  })

  it('is absent where no TLS is spoken, or nothing listens', async () => {
    const server = createHttpServer()
    const port = await listenOnLoopback(server, 0)
    await expect(fetchCertificateEnd(`https://127.0.0.1:${port}`, DIRECT)).rejects.toThrow()
    await closeServer(server)
    await expect(fetchCertificateEnd(`https://127.0.0.1:${port}`, DIRECT)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
