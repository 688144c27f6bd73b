import { describe, expect, it } from 'vitest'
import { createEventMeter } from './event-meter.ts'
import { formatMetrics } from './text-format.ts'

function open(hasBroker = true) {
  const { metrics, onEvent } = createEventMeter(hasBroker)
  return { onEvent, read: () => formatMetrics(metrics, undefined).text }
}

describe('the counters of events', () => {
  it('tell tokens by grant, and everything by outcome', () => {
    const { onEvent, read } = open()
    onEvent({ kind: 'token_issued', outcome: 'success', grantType: 'authorization_code' })
    onEvent({ kind: 'token_refreshed', outcome: 'invalid_grant', grantType: 'refresh_token' })
    onEvent({ kind: 'token_exchanged', outcome: 'success', grantType: 'urn:ietf:params:oauth:grant-type:token-exchange' })
    onEvent({ kind: 'sign_in', outcome: 'sign_in_denied', subject: 'alice', clientId: 'app' })
    onEvent({ kind: 'consent', outcome: 'access_denied' })
    const lines = read().split('\n')
    expect(lines).toContain('mcp_auth_proxy_token_requests_total{grant="authorization_code",outcome="success"} 1')
    expect(lines).toContain('mcp_auth_proxy_token_requests_total{grant="refresh_token",outcome="invalid_grant"} 1')
    expect(lines).toContain('mcp_auth_proxy_token_requests_total{grant="token_exchange",outcome="success"} 1')
    expect(lines).toContain('mcp_auth_proxy_sign_ins_total{outcome="sign_in_denied"} 1')
    expect(lines).toContain('mcp_auth_proxy_consents_total{outcome="access_denied"} 1')
    expect(read()).not.toMatch(/alice|app/)
  })

  it('have no series for what clients and identity providers make up', () => {
    const { onEvent, read } = open()
    for (let i = 0; i < 100; i++) {
      onEvent({ kind: 'token_issued', outcome: `unknown_${i}`, grantType: `urn:made-up:${i}` })
      onEvent({ kind: 'sign_in', outcome: `constructor_${i}` })
    }
    onEvent({ kind: 'sign_in', outcome: 'constructor' })
    const lines = read().split('\n')
    expect(lines).toContain('mcp_auth_proxy_token_requests_total{grant="other",outcome="other"} 100')
    expect(lines).toContain('mcp_auth_proxy_sign_ins_total{outcome="other"} 101')
  })

  it('begin at 0 where the first event deserves an alert', () => {
    const { onEvent, read } = open()
    expect(read()).toContain('mcp_auth_proxy_reused_tokens_total{outcome="invalid_grant"} 0\n')
    expect(read()).toContain('mcp_auth_proxy_reloads_total{outcome="failure"} 0\n')
    onEvent({ kind: 'reload', outcome: 'any code' })
    onEvent({ kind: 'token_reused', outcome: 'invalid_grant' })
    expect(read()).toContain('mcp_auth_proxy_reloads_total{outcome="failure"} 1\n')
    expect(read()).toContain('mcp_auth_proxy_reused_tokens_total{outcome="invalid_grant"} 1\n')
  })

  it('are not there for a broker that is not', () => {
    const { onEvent, read } = open(false)
    onEvent({ kind: 'sign_in', outcome: 'success' })
    expect(read().match(/^# TYPE \w+/gm)).toEqual([
      '# TYPE mcp_auth_proxy_reloads_total',
      '# TYPE mcp_auth_proxy_admin_actions_total',
    ])
  })
})
