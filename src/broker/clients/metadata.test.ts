import { errors } from 'oidc-provider'
import { describe, expect, it } from 'vitest'
import { settleClientMetadata } from './metadata.ts'
import { isWellFormedClientId } from './metadata-documents.ts'

type Members = Record<string, unknown>

const settle = (more: Members): Members => {
  const metadata: Members = {
    client_id: 'registered',
    client_name: 'A client',
    redirect_uris: ['https://client.example/cb'],
    ...more,
  }
  settleClientMetadata(metadata)
  return metadata
}

describe('what a client says of itself', () => {
  it.each<Members>([
    { grant_types: ['implicit'] },
    { grant_types: [] },
    { grant_types: ['refresh_token'] },
    { grant_types: ['client_credentials'] },
    { response_types: ['token'] },
    { response_types: [] },
  ])('is refused where it could do nothing here: %j (RFC 7591 §2.1)', (metadata) => {
    expect(() => settle(metadata)).toThrow(errors.InvalidClientMetadata)
  })

  it('is cut to what is possible where it lists more', () => {
    const more = { grant_types: ['implicit', 'authorization_code'], response_types: ['token', 'code'] }
    expect(settle(more)).toMatchObject({ grant_types: ['authorization_code'], response_types: ['code'] })
  })

  it.each([undefined, ''])('has to have a name in a metadata document, where a registration may do without: %j', (name) => {
    expect(() => settle({ client_id: 'https://client.example/c.json', client_name: name })).toThrow(errors.InvalidClientMetadata)
    expect(settle({ client_name: name }).client_name).toBeUndefined()
  })
})

describe('the address of a metadata document', () => {
  it.each(['https://client.example/c.json', 'https://client.example/c.json?version=2&x=%20'])(
    'can be a client id: %s (client ID metadata documents -02 §3)',
    (id) => {
      expect(isWellFormedClientId(id)).toBe(true)
    },
  )

  it.each(['https://client.example/', 'https://client.example/?x', 'http://client.example/c', 'https://client.example:0/c'])(
    'cannot be a client id: %s',
    (id) => {
      expect(isWellFormedClientId(id)).toBe(false)
    },
  )
})
