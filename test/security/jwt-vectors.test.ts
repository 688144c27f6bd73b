import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ProxyError } from '../../src/core/errors.ts'
import type { UnknownJwk } from '../../src/oauth/jwk.ts'
import { parseSignedJwt, verifySignature } from '../../src/oauth/jws.ts'
import { type KeySet, parseKeySet } from '../../src/oauth/key-set.ts'
import { expectRefused } from '../support/refusal.ts'
import { findVectors } from '../support/vectors.ts'
import { startVerifier, type VerifierSetup } from '../support/verifier.ts'

/** Project Wycheproof: what implementations of JOSE have got wrong. The public part of each group is a key set of an issuer here. */
interface VectorGroup {
  readonly comment: string
  readonly public?: UnknownJwk
  readonly private?: UnknownJwk
  readonly tests: readonly Vector[]
}

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly jws?: string | object
  readonly jwe?: string | object
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

function loadGroups(name: string): readonly VectorGroup[] {
  const path = findVectors(`wycheproof/${name}.json`)
  return path === undefined ? [] : (JSON.parse(readFileSync(path, 'utf8')) as { testGroups: VectorGroup[] }).testGroups
}

/** A group's keys as an issuer would publish them; symmetric ones, as no issuer should. */
function publishKeys(group: VectorGroup): KeySet {
  return parseKeySet({ keys: listKeys(group) })
}

/**
 * The part of verification that these vectors are about: form, header, key and signature. Their payloads are no claims (`foo`), so what
 * follows is stood in for by claims that pass.
 */
async function verifyVector(jws: string, keys: KeySet): Promise<string> {
  const [header, payload = '', signature] = jws.split('.')
  if (jws.split('.').length !== 3) return 'not three parts'
  // The reader wants JSON, these are other bytes: they are read here only where base64url would be refused anyway.
  const jwt = parseSignedJwt([header, isCanonical(payload) ? 'e30' : payload, signature].join('.'))
  const key = keys.find(jwt.keyId, jwt.algorithm)
  if (key === undefined) return 'no such key'
  await verifySignature({ ...jwt, token: jws }, key)
  return 'verified'
}

function isCanonical(segment: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(segment) && Buffer.from(segment, 'base64url').toString('base64url') === segment
}

async function outcome(vector: Vector, keys: KeySet): Promise<string> {
  if (typeof vector.jws !== 'string') return 'not compact'
  return verifyVector(vector.jws, keys).catch((error: unknown) => {
    if (!(error instanceof ProxyError)) throw error
    return `refused: ${error.code}`
  })
}

/**
 * What is valid by the letter of JOSE and refused here on purpose: symmetric keys, payloads without a byte, which no access token has,
 * and keys that name another algorithm than the token.
 */
function isRefusedOnPurpose(group: VectorGroup, vector: Vector): boolean {
  const keys = listKeys(group)
  const isEmpty = typeof vector.jws === 'string' && vector.jws.split('.')[1] === ''
  return (
    isEmpty || keys.some(({ kty }) => kty === 'oct') || !keys.some(({ alg }) => alg === undefined || alg === algorithmOf(vector))
  )
}

function listKeys(group: VectorGroup): readonly UnknownJwk[] {
  const published = group.public ?? group.private ?? {}
  return Array.isArray(published.keys) ? published.keys : [published]
}

function algorithmOf({ jws }: Vector): unknown {
  if (typeof jws !== 'string') return undefined
  return (JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()) as { alg?: unknown }).alg
}

const files = ['json_web_signature_test', 'json_web_key_test', 'json_web_crypto_test']
const groups = files.flatMap((file) => loadGroups(file).map((group) => ({ file, group })))

describe.skipIf(groups.length === 0)('the vectors of Project Wycheproof', () => {
  it.each(files)('%s: nothing invalid verifies', async (file) => {
    const wrong: string[] = []
    let count = 0
    for (const { group } of groups.filter((entry) => entry.file === file)) {
      const keys = publishKeys(group)
      for (const vector of group.tests.filter(({ result, jws }) => result !== 'valid' && jws !== undefined)) {
        count++
        if ((await outcome(vector, keys)) === 'verified') wrong.push(`${vector.tcId} ${vector.comment}`)
      }
    }
    expect(wrong).toEqual([])
    expect(count).toBeGreaterThan(20)
  })

  it.each(files)('%s: all that is valid verifies, but for what is refused on purpose', async (file) => {
    const wrong: string[] = []
    let count = 0
    for (const { group } of groups.filter((entry) => entry.file === file)) {
      const keys = publishKeys(group)
      for (const vector of group.tests.filter(({ result, jws }) => result === 'valid' && jws !== undefined)) {
        const isStricter = isRefusedOnPurpose(group, vector)
        const result = await outcome(vector, keys)
        if (!isStricter) count++
        if ((result === 'verified') === isStricter) wrong.push(`${vector.tcId} ${vector.comment}: ${result}`)
      }
    }
    expect(wrong).toEqual([])
    expect(count).toBeGreaterThan(0)
  })

  describe('as bearer tokens', () => {
    let setup: VerifierSetup
    beforeAll(async () => {
      setup = await startVerifier()
    })
    afterAll(() => setup.close())

    it('are refused one and all, as invalid', async () => {
      for (const { group } of groups) {
        for (const { jws } of group.tests) if (typeof jws === 'string') await expectRefused(setup.verifier, jws, 'token_invalid')
      }
    })

    it('are refused when they are encrypted, and no issuer is asked for a key', async () => {
      const encrypted = [...loadGroups('json_web_encryption_test'), ...loadGroups('json_web_crypto_test')]
      const tokens = encrypted.flatMap(({ tests }) => tests.flatMap(({ jwe }) => (typeof jwe === 'string' ? [jwe] : [])))
      expect(tokens.length).toBeGreaterThan(130)
      for (const token of tokens) await expectRefused(setup.verifier, token, 'token_invalid')
      expect(setup.issuer.requests).toEqual([])
    })
  })
})
