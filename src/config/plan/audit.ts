import { resolve } from 'node:path'
import type { AuditPlan } from '../../core/plan/audit-plan.ts'
import type { Config } from '../schema/schema.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

export function createAuditPlan({ audit }: Config, secretsAndFiles: SecretsAndFiles): AuditPlan | undefined {
  if (audit === undefined) return undefined
  const { file, rotate, chain, fail } = audit
  const key = secretsAndFiles.findSecret(chain?.key)
  return {
    target: file === undefined ? { kind: 'stdout' } : { kind: 'file', path: resolve(secretsAndFiles.directory, file) },
    digestsArguments: audit.arguments === 'digest',
    rotation: { bytes: rotate.bytes, seconds: rotate.hours && rotate.hours * 3600, keep: rotate.keep },
    fail,
    chain: chain === undefined || key === undefined ? undefined : { key, checkpointSeconds: chain.checkpoint_seconds },
  }
}
