import { existsSync } from 'node:fs'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { expect, it } from 'vitest'
import { KEYS_FILE, renewRsaKeys } from './rsa-keys.ts'

it.each(['RS256', 'PS384'])(
  'issuers of a test have different RSA keys that were made before, and can sign with them: %s',
  async (alg) => {
    expect(existsSync(KEYS_FILE)).toBe(true)
    const pairs = await Promise.all(Array.from({ length: 10 }, () => generateKeyPair(alg, { extractable: true })))
    const prints = pairs.map(async ({ publicKey }) => calculateJwkThumbprint(await exportJWK(publicKey)))
    expect(new Set(await Promise.all(prints)).size).toBe(10)
    const [one, other] = pairs
    const token = await new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg }).sign(one?.privateKey as never)
    expect((await jwtVerify(token, one?.publicKey as never)).payload.sub).toBe('alice')
    await expect(jwtVerify(token, other?.publicKey as never)).rejects.toThrow('signature')
  },
)

it('a key that must not be exported is not', async () => {
  const { privateKey } = await generateKeyPair('RS256')
  await expect(exportJWK(privateKey)).rejects.toThrow('extractable')
})

it('each test file begins with all of the keys, also where another one ran before it in the same process', async () => {
  const takeKey = async () => exportJWK((await generateKeyPair('RS256')).publicKey)
  renewRsaKeys()
  const first = await takeKey()
  expect(await takeKey()).not.toEqual(first)
  renewRsaKeys()
  expect(await takeKey()).toEqual(first)
})
