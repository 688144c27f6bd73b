import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto'

/** Encrypts what is kept in the store (AES-256-GCM). */
export interface Encryption {
  /** @param purpose - what the text is; it can be decrypted for the same purpose only */
  encrypt(purpose: string, text: string): string
  /** @returns the text; undefined when it was encrypted for another purpose or with an unknown key, or was changed */
  decrypt(purpose: string, encrypted: string): string | undefined
  /** Derives a secret for another purpose from each key, the current one first. */
  derive(purpose: string): readonly string[]
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

interface EncryptionKey {
  readonly id: string
  readonly key: Buffer
}

/** @param keys - 32 bytes each; the first encrypts, all of them decrypt */
export function createEncryption(keys: readonly Buffer[]): Encryption {
  const known = keys.map((key): EncryptionKey => ({ id: hash('sha256', key).slice(0, 8), key }))
  const [current] = known
  if (current === undefined || known.some(({ key }) => key.length !== 32)) throw new Error('encryption needs keys of 32 bytes')
  return {
    encrypt: (purpose, text) => encrypt(current, purpose, text),
    decrypt(purpose, encrypted) {
      const [id, body = ''] = encrypted.split('.', 2)
      const key = known.find((candidate) => candidate.id === id)
      return key && decrypt(key, purpose, Buffer.from(body, 'base64url'))
    },
    derive: (purpose) => keys.map((key) => Buffer.from(hkdfSync('sha256', key, '', purpose, 32)).toString('base64url')),
  }
}

function encrypt({ id, key }: EncryptionKey, purpose: string, text: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose))
  const body = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final()])
  return `${id}.${Buffer.concat([body, cipher.getAuthTag()]).toString('base64url')}`
}

function decrypt({ key }: EncryptionKey, purpose: string, body: Buffer): string | undefined {
  if (body.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(body.subarray(-TAG_BYTES))
  try {
    return decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    // A text whose authentication tag does not match counts as absent.
    return undefined
  }
}
