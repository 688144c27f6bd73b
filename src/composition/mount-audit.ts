import type { AuditLog } from '../audit/audit-log.ts'
import type { Clock } from '../core/clock.ts'
import type { AuditPlan } from '../core/plan/audit-plan.ts'
import { readVersion } from '../core/version.ts'
import type { Log } from '../telemetry/log.ts'

/**
 * Opens the audit log. Loaded lazily: not at all where there is none.
 *
 * @throws Error that names the file, when it cannot be written
 */
export async function mountAudit(plan: AuditPlan, clock: Clock, { logger }: Log): Promise<AuditLog> {
  const { openAuditLog } = await import('../audit/audit-log.ts')
  return openAuditLog({
    plan,
    clock,
    version: readVersion(),
    onIssue: (message) => logger.warn(message),
    // An attacker who can write the file can cut its end off. The log is usually stored somewhere else.
    onCheckpoint: (seq, digest) => logger.info({ audit_seq: seq, audit_digest: digest }, 'checkpoint of the audit log'),
  })
}
