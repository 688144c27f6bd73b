import { resolve } from 'node:path'
import type { AuditPlan } from '../../core/plan/audit-plan.ts'
import type { Config } from '../schema/schema.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

export function createAuditPlan({ audit }: Config, secretsAndFiles: SecretsAndFiles): AuditPlan | undefined {
  if (audit === undefined) return undefined
  const { file, rotate, chain, fail } = audit
  return {
    target: file === undefined ? { kind: 'stdout' } : { kind: 'file', path: resolve(secretsAndFiles.directory, file) },
    digestsArguments: audit.arguments === 'digest',
    rotation: { bytes: rotate.bytes, seconds: rotate.hours && rotate.hours * 3600, keep: rotate.keep },
    fail,
    chain: chain && createChainPlan(chain.checkpoint_seconds, secretsAndFiles.findSecret(chain.key), secretsAndFiles.isComplete),
  }
}

/** @throws Error where the key is missing: an audit log that was to be chained must not be written without */
function createChainPlan(checkpointSeconds: number, key: string | undefined, isComplete: boolean): AuditPlan['chain'] {
  if (key === undefined && isComplete) throw new Error('audit.chain has no key')
  return key === undefined ? undefined : { key, checkpointSeconds }
}
