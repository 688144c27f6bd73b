import { describe, expect, it } from 'vitest'
import { createChildEnvironment } from './environment.ts'

describe('the environment of a program', () => {
  it('says where certificates are, and nothing that may be a secret', () => {
    const certificates = { NODE_EXTRA_CA_CERTS: '/ca.pem', SSL_CERT_FILE: '/all.pem', SSL_CERT_DIR: '/certs' }
    const secrets = { HTTPS_PROXY: 'http://user:password@proxy', NODE_OPTIONS: '--inspect', API_KEY: 'secret' }
    expect(createChildEnvironment({}, { ...certificates, ...secrets })).toEqual(certificates)
  })

  it('has what the configuration names in the place of what is inherited', () => {
    expect(createChildEnvironment({ PATH: '/named' }, { PATH: '/own' })).toEqual({ PATH: '/named' })
  })

  it('leaves out functions that a shell exports', () => {
    expect(createChildEnvironment({}, { TERM: '() { :; }; id' })).toEqual({})
  })
})
