import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { isObject } from '../../core/is-object.ts'
import type { SecretsAndFiles } from './secrets-and-files.ts'

/**
 * Lets something stand for each secret and file that was not read, so that a plan can be made and looked at. Nothing can be done with what
 * is made here.
 *
 * @param config - checked
 * @param found - what was read all the same: files that are there
 */
export function withStandIns(config: unknown, found: SecretsAndFiles): SecretsAndFiles {
  const identities = [...listMembers(config, 'identity')]
  const privateKeys = new Set([
    ...listMembers(config, 'private_key'),
    ...listMembers(identities, 'key'),
    ...[...listMembers(identities, 'other_keys')].flat(),
  ])
  const publicKeyFiles = listMembers(config, 'public_keys_file')
  return {
    ...found,
    findSecret: (reference) => {
      if (reference === undefined) return undefined
      return privateKeys.has(reference) ? createKeyPair().privateKey : randomBytes(32).toString('base64')
    },
    findFile: (file) => {
      if (file === undefined) return undefined
      return found.findFile(file) ?? (publicKeyFiles.has(file) ? createKeyPair().publicKey : 'not read')
    },
  }
}

/** The values of every key of a name. */
function listMembers(value: unknown, name: string): ReadonlySet<unknown> {
  if (Array.isArray(value)) return new Set(value.flatMap((item) => [...listMembers(item, name)]))
  if (!isObject(value)) return new Set()
  const within = Object.values(value).flatMap((member) => [...listMembers(member, name)])
  return new Set(Object.hasOwn(value, name) ? [value[name], ...within] : within)
}

function createKeyPair(): { readonly publicKey: string; readonly privateKey: string } {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
}
