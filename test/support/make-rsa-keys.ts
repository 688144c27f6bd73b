import { generateKeyPair } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { KEYS_FILE } from './rsa-keys.ts'

/** More than most test files need. */
const COUNT = 48

/** Makes the RSA keys of the tests before the first run. Another run may do so at the same time. */
export default async function makeRsaKeys(): Promise<void> {
  if (existsSync(KEYS_FILE)) return
  const pairs = await Promise.all(Array.from({ length: COUNT }, () => promisify(generateKeyPair)('rsa', { modulusLength: 2048 })))
  const keys = pairs.map(({ privateKey }) => privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'))
  mkdirSync(dirname(KEYS_FILE), { recursive: true })
  const written = `${KEYS_FILE}.${process.pid}`
  writeFileSync(written, JSON.stringify(keys), { mode: 0o600 })
  renameSync(written, KEYS_FILE)
}
