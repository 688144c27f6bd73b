import { accessSync, constants, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parsePrivateKey } from '../format/key-material.ts'
import { type Mistake, quote } from '../problem/problem.ts'
import { explainReadError } from '../source/read-failure.ts'
import type { CheckContext } from './check-context.ts'

/** Checks where the audit log goes, and whether it can be written there. */
export function checkAudit(context: CheckContext): void {
  const { audit } = context.config
  if (audit === undefined) return
  checkTarget(context)
  checkFileKeys(context)
  checkChainKey(context)
}

function checkTarget({ config: { audit }, isBroken, secretsAndFiles, report }: CheckContext): void {
  const hasFile = audit?.file !== undefined || isBroken(['audit', 'file'])
  const hasOutput = audit?.stdout !== undefined || isBroken(['audit', 'stdout'])
  if (hasFile && hasOutput) report(['audit', 'stdout'], { reason: 'cannot be combined with `file`', fix: 'Keep one of the two.' })
  if (!hasFile && !hasOutput)
    report(['audit'], { reason: 'says nowhere that records go', fix: 'Add `file: PATH`, or `stdout: true`.' })
  if (audit?.file === undefined || !secretsAndFiles.isComplete) return
  const mistake = findFileMistake(resolve(secretsAndFiles.directory, audit.file))
  if (mistake) report(['audit', 'file'], mistake)
}

/** Standard output has no name that it could be set aside under, and no last line that a chain could go on from. */
function checkFileKeys({ config: { audit }, report }: CheckContext): void {
  if (audit?.stdout === undefined || audit.chain === undefined) return
  report(['audit', 'chain'], { reason: 'needs a `file`', fix: 'Remove it, or write records to a file.' })
}

function checkChainKey({ config: { audit }, secretsAndFiles, report }: CheckContext): void {
  const key = secretsAndFiles.findSecret(audit?.chain?.key)
  if (key === undefined || parsePrivateKey(key)?.asymmetricKeyType === 'ed25519') return
  report(['audit', 'chain', 'key'], {
    reason: 'is not an Ed25519 private key in PEM or JWK format',
    fix: 'Make one with `openssl genpkey -algorithm ed25519`.',
  })
}

function findFileMistake(path: string): Mistake | undefined {
  const folder = dirname(path)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    return {
      reason: `the folder ${quote(folder)} cannot be written (${explainReadError(error)})`,
      fix: 'Create it, and let the user that the proxy runs as write to it.',
    }
  }
  try {
    if (!statSync(path).isFile()) return { reason: `${quote(path)} is not a file`, fix: 'Name a file.' }
    accessSync(path, constants.W_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    return {
      reason: `the file ${quote(path)} cannot be written (${explainReadError(error)})`,
      fix: 'Let the user that the proxy runs as write to it.',
    }
  }
  return undefined
}
