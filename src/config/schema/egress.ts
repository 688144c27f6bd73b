import { z } from 'zod'
import {
  findDirectHostMistake,
  findExactHostMistake,
  findProxyUrlMistake,
  findProxyUsernameMistake,
} from '../format/egress-formats.ts'
import { list, secret, text } from './values.ts'

export const egressProxy = z
  .strictObject({
    enabled: z.boolean().default(true).describe('`false`: everything is reached directly, whatever the environment says.'),
    url: text(findProxyUrlMistake)
      .optional()
      .describe(
        'Where it is: `http://proxy.example.com:3128` or `https://…`, for http and https URLs. With it, the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` do not count; without it they do.',
      ),
    username: text(findProxyUsernameMistake).optional().describe('User name at `url` (Basic).'),
    password: secret.optional().describe('Password at `url`.'),
    ca_file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Certificate authorities (PEM) to trust beside the usual ones for the certificate of an https:// egress proxy. For one that opens TLS and signs certificates itself, set NODE_EXTRA_CA_CERTS.',
      ),
    no_proxy: list(text(findDirectHostMistake))
      .default([])
      .describe(
        'Hosts that are reached directly although there is a `url`, written as in `NO_PROXY`: `example.com` (with its subdomains), `.example.com` (subdomains alone), `example.com:8443`, `192.0.2.7`, `10.0.0.0/8`, `*`. CIDR blocks are about URLs with an address; names are not resolved for them. This machine (localhost, 127.0.0.0/8, ::1) is always reached directly.',
      ),
    resolves: list(text(findExactHostMistake))
      .default([])
      .describe(
        'Hosts whose names the egress proxy may resolve although clients or documents of issuers named them: `claude.ai`, `*.example.com`. All other such hosts are resolved here and reached by address, if that is a public one; else refused. For networks in which only the egress proxy can resolve names, or which permits no addresses.',
      ),
  })
  .meta({
    id: 'EgressProxy',
    description:
      'The egress proxy: the forward proxy through which this process reaches issuers, identity providers, client metadata and MCP servers.',
  })
