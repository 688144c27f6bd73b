// The image's health check: it has no shell and no curl. Another address: HEALTHCHECK_URL.
import { get as getHttp } from 'node:http'
import { get as getHttps } from 'node:https'

const { HEALTHCHECK_URL, OMAP_LISTEN__PORT } = process.env
const url = new URL(HEALTHCHECK_URL || `http://127.0.0.1:${OMAP_LISTEN__PORT || 8080}/healthz`)
// This asks the process beside it whether it lives. The certificate is for the name that clients use.
const get = url.protocol === 'https:' ? getHttps : getHttp
const request = get(url, { timeout: 3000, rejectUnauthorized: false }, (response) =>
  process.exit(response.statusCode === 200 ? 0 : 1),
)
request.on('timeout', () => request.destroy(new Error('no answer within 3 s')))
request.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
