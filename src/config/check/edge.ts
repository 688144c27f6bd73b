import { isLoopback } from '../format/formats.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { Config } from '../schema/schema.ts'
import type { CheckContext } from './check-context.ts'

/** Checks what concerns listening, the public URL and browsers. */
export function checkEdge({ config, isBroken, report }: CheckContext): void {
  const host = config.listen?.host
  if (host !== undefined && !isLoopback(host) && config.public_url === undefined && !isBroken(['public_url'])) {
    report(['public_url'], {
      reason: 'is missing, and the proxy listens beyond this machine',
      fix: 'Write the origin that clients use, for example https://mcp.example.com, or listen on 127.0.0.1.',
    })
  }
  checkBodiesBytes(config.limits, report)
  checkAdminPort(config, report)
  if (config.cors?.allow_credentials === true && config.cors.allowed_origins?.includes('*')) {
    report(['cors', 'allow_credentials'], {
      reason: 'cannot be true while `allowed_origins` permits every page',
      fix: 'List the origins, or set `allow_credentials: false`: access tokens do not need it.',
    })
  }
}

/** One of them may listen on all addresses, and with it on the other's. */
function checkAdminPort({ admin, listen }: PartialConfig<Config>, report: CheckContext['report']): void {
  if (admin?.port === undefined || admin.port === 0 || admin.port !== listen?.port) return
  report(['admin', 'port'], {
    reason: `is the port of clients, too (\`listen.port\`: ${admin.port})`,
    fix: 'Write another port: the admin listener is never the public one.',
  })
}

function checkBodiesBytes(limits: PartialConfig<Config>['limits'], report: CheckContext['report']): void {
  if (limits?.bodies_bytes === undefined || limits.body_bytes === undefined || limits.bodies_bytes >= limits.body_bytes) return
  report(['limits', 'bodies_bytes'], {
    reason: `is less than one body may have (\`limits.body_bytes\`: ${limits.body_bytes})`,
    fix: 'Raise it to several times `limits.body_bytes`, or remove it.',
  })
}
