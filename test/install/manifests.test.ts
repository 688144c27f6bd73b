// What deploy/ has for Kubernetes, systemd and Compose, checked by the programs that read it.
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { IMAGE } from '../../deploy/image/image-config.ts'
import { parseArguments } from '../../src/cli/arguments.ts'
import { loadConfigText } from '../../src/config/load.ts'
import { findProgram } from '../interop/programs.ts'

const root = resolve(import.meta.dirname, '../..')
const chart = join(root, 'deploy/helm/open-mcp-auth-proxy')
const execute = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'manifests-'))
afterAll(() => rmSync(folder, { recursive: true }))

const helm = findProgram('helm')
const validate = findProgram('kubernetesValidate')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Container {
  readonly name: string
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

/** As much of a manifest as is looked at here. */
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data: Readonly<Record<string, string>>
  readonly spec: {
    readonly replicas?: number
    readonly ingress?: readonly { readonly from?: unknown }[]
    readonly policyTypes?: readonly string[]
    readonly strategy?: unknown
    readonly endpoints?: readonly { readonly relabelings?: unknown }[]
    readonly template: {
      readonly spec: { readonly containers: readonly Container[]; readonly [key: string]: unknown }
    }
  }
}

const readManifests = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Manifest)

/** Validates against the schemas of Kubernetes; what operators add has none there. */
async function checkManifests(text: string): Promise<Manifest[]> {
  const manifests = readManifests(text).filter((manifest) => manifest !== null)
  const known = manifests.filter(({ kind }) => kind !== 'ServiceMonitor')
  const file = join(folder, 'manifests.yaml')
  writeFileSync(file, known.map((manifest) => JSON.stringify(manifest)).join('\n---\n'))
  const { stdout, stderr } = await execute(validate ?? '', ['--strict', file])
  expect(`${stdout}${stderr}`.match(/passed for resource/g)).toHaveLength(known.length)
  return manifests
}

function findProxy(manifests: readonly Manifest[]) {
  const pod = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.spec
  const container = pod?.containers.find(({ name }) => name.endsWith('proxy'))
  if (pod === undefined || container === undefined) throw new Error('no container of the proxy')
  return { pod, container }
}

/** The configuration of a ConfigMap, as `check --no-secrets` sees it. */
function loadConfig(manifests: readonly Manifest[], env: Readonly<Record<string, string>> = {}) {
  const text = manifests.find(({ kind }) => kind === 'ConfigMap')?.data['config.yaml'] ?? ''
  const options = { env, directory: folder, terminal: false, secrets: 'stand_in', readsEnvironmentKeys: true } as const
  return loadConfigText(text, options)
}

function expectRestricted(manifests: readonly Manifest[]): void {
  const { pod, container } = findProxy(manifests)
  expect({ ...(pod.securityContext as object), ...container.securityContext }).toMatchObject({
    runAsNonRoot: true,
    runAsUser: 65532,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  })
  expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
}

function expectProbed(manifests: readonly Manifest[], plan: { shutdownDelaySeconds: number; drainSeconds: number }): void {
  const { pod, container } = findProxy(manifests)
  expect(container.livenessProbe).toMatchObject({ httpGet: { path: '/healthz', port: 'http' } })
  expect(container.startupProbe).toMatchObject({ httpGet: { path: '/healthz', port: 'http' } })
  expect(container.readinessProbe).toMatchObject({
    httpGet: { path: '/readyz', port: 'http' },
    periodSeconds: 2,
    timeoutSeconds: 5,
    failureThreshold: 1,
  })
  // The delay is longer than the probes take to notice, and the pod is not ended before the proxy ends.
  expect(plan.shutdownDelaySeconds).toBeGreaterThanOrEqual(4)
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(plan.shutdownDelaySeconds + plan.drainSeconds)
}

/** Values of the chart for one pod that signs users in, with their accounts in a file. */
const SINGLE = [
  '--set',
  'replicas=1,autoscaling.enabled=false',
  '--set-json',
  'config.identity_provider={"kind":"google","client_id":"c","client_secret":{"env":"S"},"allow":[{"claim":"hd","values":["a.example"]}]}',
  '--set-json',
  'config.encryption_keys=[{"env":"KEY"}]',
]
const mount = (mountPath: string, readOnly = false) => [
  '--set-json',
  `volumes=[{"name":"data","persistentVolumeClaim":{"claimName":"data"}}]`,
  '--set-json',
  `volumeMounts=${JSON.stringify([{ name: 'data', mountPath, readOnly }])}`,
]

describe.skipIf(helm === undefined || validate === undefined)('the Helm chart', () => {
  const render = async (...flags: string[]) =>
    (await execute(helm ?? '', ['template', 'x', chart, '--kube-version', '1.31.0', ...flags])).stdout
  const files = readdirSync(join(chart, 'ci')).map((name) => join(chart, 'ci', name))
  const elsewhere = ['-f', join(chart, 'ci/clients-sign-in-elsewhere-values.yaml')]

  it.each([[], ...files.map((file) => ['-f', file])])('passes lint: %s %s', async (...flags) => {
    const { stdout } = await execute(helm ?? '', ['lint', '--strict', chart, ...flags.filter((flag) => flag !== undefined)])
    expect(stdout).toContain('1 chart(s) linted, 0 chart(s) failed')
  })

  it.each(files)('renders what Kubernetes takes, and a configuration that starts: %s', async (file) => {
    const manifests = await checkManifests(await render('-f', file))
    const { plan } = loadConfig(manifests)
    expect(plan.listen.host).toBe('0.0.0.0')
    expect(plan.admin).toMatchObject({ host: '0.0.0.0', port: 9090 })
    expectRestricted(manifests)
    expectProbed(manifests, plan)
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['PodDisruptionBudget', 'NetworkPolicy', 'Service', 'ServiceAccount']),
    )
    const ports = findProxy(manifests).container.ports as readonly { name: string; containerPort: number }[]
    expect(ports).toEqual([
      { name: 'http', containerPort: plan.listen.port },
      { name: 'admin', containerPort: plan.admin?.port },
    ])
  })

  it('scales, is monitored and reached from where the values say', async () => {
    const manifests = await checkManifests(await render('-f', files.find((file) => file.includes('elsewhere')) ?? ''))
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['HorizontalPodAutoscaler', 'ServiceMonitor', 'Ingress']),
    )
    expect(manifests.find(({ kind }) => kind === 'Deployment')?.spec.replicas).toBeUndefined()
    const policy = manifests.find(({ kind }) => kind === 'NetworkPolicy')?.spec
    expect(policy?.policyTypes).toEqual(['Ingress', 'Egress'])
    expect(policy?.ingress?.map(({ from }) => JSON.stringify(from))).toEqual([
      expect.stringContaining('ingress-nginx'),
      expect.stringContaining('monitoring'),
    ])
  })

  it('tells the proxy how many replicas there may be, so that each has its part of the limits while Redis is away', async () => {
    const replicasOf = async (...flags: string[]) => loadConfig(readManifests(await render(...flags))).plan.replicas
    const users = ['-f', files.find((file) => file.includes('users')) ?? '']
    expect(await replicasOf(...users, '--set', 'replicas=3')).toBe(3)
    expect(await replicasOf(...users, '--set', 'replicas=0')).toBe(1)
    expect(await replicasOf(...users, '--set', 'replicas=3,config.replicas=5')).toBe(5)
    expect(await replicasOf(...elsewhere)).toBe(6)
  })

  it('probes over TLS where the proxy has a certificate, and keeps secrets out of the configuration', async () => {
    const text = await render('-f', files.find((file) => file.includes('users')) ?? '')
    const manifests = await checkManifests(text)
    expect(findProxy(manifests).container.readinessProbe).toMatchObject({ httpGet: { scheme: 'HTTPS' } })
    expect(text).not.toContain('only-for-trying')
    expect(manifests.find(({ kind }) => kind === 'Secret')?.data.BROKER_KEY).toBe(
      Buffer.from('only-for-trying').toString('base64'),
    )
  })

  it('makes a new pod of a changed configuration', async () => {
    const [file = ''] = files
    const find = (text: string) => /checksum\/config: \w{64}/.exec(text)?.[0]
    const [one, other] = [await render('-f', file), await render('-f', file, '--set', 'config.log.level=warn')]
    expect(find(one)).toBeDefined()
    expect(find(one)).not.toBe(find(other))
  })

  it.each([
    [['--set', 'config.public_url=https://a.example'], /config\.public_url and config\.servers are missing/],
    [
      ['--set-json', 'config={"public_url":"https://a.example","servers":[{"path":"/a","upstream":"http://b"}]}'],
      /config\.session_key is missing/,
    ],
    [['--set', 'config.session_key=null'], /config\/session_key/],
    [['--set', 'config.identity_provider.kind=google'], /config\.store\.kind has to be redis.*OMAP_STORE__KIND/],
    [
      ['--set', 'config.identity_provider.kind=google', '--set-json', 'env=[{"name":"OMAP_STORE__PASSWORD","value":"a"}]'],
      /config\.store\.kind has to be redis/,
    ],
    [['--set', 'replica=3'], /[Aa]dditional propert/],
    [['--set', 'service.port=0'], /service.port/],
    [['--set', 'image.digest=latest'], /image.digest/],
    [['--set', 'config.sesion_key.env=SESSION_KEY'], /config.*sesion_key/],
    [['--set', 'config.limits.body_byte=1'], /config\/limits.*body_byte/],
    [['--set-string', 'config.listen.port=8080'], /config\/listen\/port/],
    [['--set', 'resources.limit.memory=1Gi'], /resources.*limit/],
    [['--set', 'config.listen.host=127.0.0.1'], /config\.listen\.host is loopback/],
    [['--set', 'config.listen.port=9090'], /config\.listen\.port and config\.admin\.port are the same/],
    [['--set', 'autoscaling.minReplicas=7'], /autoscaling\.minReplicas is more/],
    [['--set', 'resources.requests.cpu=null'], /resources\.requests\.cpu is missing/],
    [['--set', 'resources.requests=null'], /resources\.requests\.cpu is missing.*LimitRange/],
    [['--set', 'resources=null'], /Error:.* resources\.requests\.cpu is missing/],
    [['--set-json', 'env=[{"name":"OMAP_LISTEN__PORT","value":"9999"}]'], /OMAP_LISTEN__PORT.*config\.listen/],
    [['--set-string', 'secrets.values.OMAP_admin__Port=9999'], /OMAP_admin__Port.*config\.admin/],
    [['--set', 'config.audit.file=/var/log/audit.jsonl'], /config\.audit\.file.*volumeMounts/],
    [[...SINGLE], /config\.store\.path.*volumeMounts/],
    [[...SINGLE, '--set', 'secrets.existing=mine'], /config\.store\.path.*OMAP_STORE__KIND.*config\.store\.kind/],
    [[...SINGLE, '--set', 'config.store.kind=sqlite,config.store.path=/data/a.db', ...mount('/dat')], /config\.store\.path/],
    [[...SINGLE, '--set', 'config.store.path=/data/a.db', ...mount('/data', true)], /config\.store\.path/],
  ])('refuses what would not work: %j', async (flags, said) => {
    const values = /are missing|session_key is missing/.test(said.source) ? [] : elsewhere
    const { stderr } = await execute(helm ?? '', ['template', 'x', chart, '--kube-version', '1.31.0', ...values, ...flags]).then(
      () => ({ stderr: 'rendered' }),
      (error: { stderr: string }) => error,
    )
    expect(stderr).toMatch(said)
  })

  it('takes a SQLite file and an audit log on a volume, which no second pod opens meanwhile', async () => {
    const files = 'config.store.path=/data/a.db,config.audit.file=/data/audit.jsonl,config.store.kind=sqlite'
    const manifests = await checkManifests(await render(...elsewhere, ...SINGLE, '--set', files, ...mount('/data/')))
    expect(loadConfig(manifests).plan.store).toMatchObject({ kind: 'sqlite', file: '/data/a.db' })
    expect(manifests.find(({ kind }) => kind === 'Deployment')?.spec.strategy).toEqual({ type: 'Recreate' })
    expect(manifests.map(({ kind }) => kind)).not.toContain('PodDisruptionBudget')
  })

  it('takes null for blocks and lists that are not wanted', async () => {
    expect(await render(...elsewhere, '--set', 'secrets.values=null,env=null,volumes=null,volumeMounts=null')).toContain(
      'maxSurge: 1',
    )
  })

  it('leaves the place of the store to a variable that says it', async () => {
    const variable = 'env=[{"name":"OMAP_STORE__KIND","value":"memory"}]'
    expect(await render(...elsewhere, ...SINGLE, '--set-json', variable)).toContain('maxSurge: 1')
    expect(await render(...elsewhere, ...SINGLE, '--set', 'replicas=2', '--set-json', variable)).toContain('replicas: 2')
  })

  it('takes a store of which the values say the kind, and a variable of a Secret the rest', async () => {
    const rendered = await render(...elsewhere, ...SINGLE, '--set', 'replicas=2,secrets.existing=mine,config.store.kind=redis')
    const { plan } = loadConfig(await checkManifests(rendered), { OMAP_STORE__URL: 'rediss://redis.example:6379' })
    expect(plan.store).toMatchObject({ kind: 'redis' })
  })

  it.each([
    ['0', true],
    ['0%', true],
    ['1', false],
    ['10%', false],
  ])('says in its notes whether nodes can be drained: maxUnavailable %s', async (most, isKept) => {
    // Helm shows notes only where it has installed something.
    const copy = join(folder, `notes-${most}`)
    cpSync(chart, copy, { recursive: true })
    const notes = readFileSync(join(copy, 'templates/NOTES.txt'), 'utf8')
    writeFileSync(
      join(copy, 'templates/notes.yaml'),
      `{{ define "notes" }}${notes}{{ end }}kind: Notes\nsaid: {{ include "notes" . | quote }}\n`,
    )
    const flags = ['template', 'x', copy, '--kube-version', '1.31.0', '-s', 'templates/notes.yaml', ...elsewhere]
    const { stdout } = await execute(helm ?? '', [...flags, '--set', `podDisruptionBudget.maxUnavailable=${most}`])
    expect(stdout).toContain('Clients reach the proxy as https://mcp.example.com')
    expect(stdout.includes('No node with a pod of it can be drained')).toBe(isKept)
  })

  it('takes a file that is mounted by itself', async () => {
    const files = 'config.store.path=/data/a.db,config.store.kind=sqlite'
    expect(await render(...elsewhere, ...SINGLE, '--set', files, ...mount('/data/a.db'))).toContain('Recreate')
  })

  it('takes a limit of the processor for what autoscaling compares with, as Kubernetes does', async () => {
    expect(await render(...elsewhere, '--set', 'resources.requests=null,resources.limits.cpu=1')).toContain('averageUtilization')
  })

  it('scrapes under the name of the job that the alerts ask for', async () => {
    const monitor = readManifests(await render(...elsewhere)).find((manifest) => manifest?.kind === 'ServiceMonitor')
    const [, job = ''] = /job="([^"]+)"/.exec(read('deploy/prometheus/alerts.yaml')) ?? []
    expect(monitor?.spec.endpoints?.[0]?.relabelings).toEqual([{ targetLabel: 'job', replacement: job }])
  })

  it('takes the values that docs/install.md shows', async () => {
    const [, values = ''] = /```yml\n# values\.yaml\n([\s\S]*?)```/.exec(read('docs/install.md')) ?? []
    const file = join(folder, 'values.yaml')
    writeFileSync(file, values)
    expect(loadConfig(await checkManifests(await render('-f', file))).plan.servers).toHaveLength(1)
  })

  it('has the version of the package', () => {
    const { version } = JSON.parse(read('package.json'))
    expect(parse(read('deploy/helm/open-mcp-auth-proxy/Chart.yaml'))).toMatchObject({ version, appVersion: version })
    expect(read('deploy/kubernetes/sidecar.yaml')).toContain(`image: open-mcp-auth-proxy:${version}\n`)
  })
})

it.skipIf(validate === undefined)('the sidecar is what Kubernetes takes, and its configuration starts', async () => {
  const manifests = await checkManifests(read('deploy/kubernetes/sidecar.yaml'))
  const { plan } = loadConfig(manifests)
  expectRestricted(manifests)
  expectProbed(manifests, plan)
  const [endpoint] = plan.servers[0]?.endpoints ?? []
  expect(endpoint?.upstream).toMatchObject({ url: 'http://127.0.0.1:8000/mcp' })
  expect(plan.replicas).toBe(manifests.find(({ kind }) => kind === 'Deployment')?.spec.replicas)
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd && process.env.CI) throw new Error('systemd-analyze is missing: install systemd')

describe.skipIf(!hasSystemd)('the systemd unit', () => {
  const text = read('deploy/systemd/open-mcp-auth-proxy.service')
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(text) ?? []

  it('is one that systemd takes', async () => {
    const file = join(folder, 'open-mcp-auth-proxy.service')
    writeFileSync(file, text.replace('/usr/local/bin/open-mcp-auth-proxy', join(root, 'bin/open-mcp-auth-proxy.cjs')))
    const { stdout, stderr } = await execute('systemd-analyze', ['verify', file])
    expect(stdout + stderr).toBe('')
  })

  it('takes a drop-in with the allocator of the image', async () => {
    const file = join(folder, 'open-mcp-auth-proxy.service')
    writeFileSync(file, text.replace('/usr/local/bin/open-mcp-auth-proxy', join(root, 'bin/open-mcp-auth-proxy.cjs')))
    mkdirSync(`${file}.d`)
    cpSync(join(root, 'deploy/systemd/jemalloc.conf'), `${file}.d/jemalloc.conf`)
    const { stdout, stderr } = await execute('systemd-analyze', ['verify', file])
    expect(stdout + stderr).toBe('')
    const variables = [...read('deploy/systemd/jemalloc.conf').matchAll(/^Environment=(\w+)=(.*)$/gm)]
    expect(Object.fromEntries(variables.map(([, name, value]) => [name, value]))).toEqual(IMAGE.env)
  })

  it('exposes little: under 2 of 10', async () => {
    const file = join(root, 'deploy/systemd/open-mcp-auth-proxy.service')
    const { stdout } = await execute('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', file])
    expect(stdout).toMatch(/Overall exposure level for open-mcp-auth-proxy\.service: [01]\.\d/)
  })

  it('starts the proxy with flags that it knows, and lets it drain', () => {
    const [, flags = '', argv = ''] =
      /^\/usr\/bin\/env node (.*) \/usr\/local\/bin\/open-mcp-auth-proxy (.*)$/.exec(command) ?? []
    expect(flags.split(' ')).toEqual(IMAGE.entrypoint.slice(1, -1))
    expect(parseArguments(argv.split(' ')).command).toBe('serve')
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(30)
    expect(text).toContain('\nRestartPreventExitStatus=2\n')
  })
})

/** A secret that could be one. */
const SECRET = 'key of tests.'.repeat(3)

describe('the Compose file', () => {
  const compose = parse(read('deploy/compose/compose.yaml'))
  const { environment } = compose.services.proxy

  it('gives the proxy a configuration that starts, with secrets from the environment', () => {
    const values: Readonly<Record<string, string>> = {
      OMAP_ENCRYPTION_KEYS__0: Buffer.alloc(32, 'key of tests').toString('base64'),
    }
    const env = Object.fromEntries(Object.keys(environment).map((name) => [name, values[name] ?? SECRET]))
    const { plan } = loadConfigText(read('deploy/compose/config.yaml'), {
      env,
      directory: folder,
      terminal: false,
      readsEnvironmentKeys: true,
    })
    expect(plan.store).toMatchObject({ kind: 'redis', place: { node: { host: 'redis' } }, user: { password: SECRET } })
    const realm = JSON.parse(read('deploy/compose/realm.json'))
    expect(realm.clients[0].redirectUris).toEqual([`${plan.publicUrl}/oauth/callback`])
    expect(plan.broker?.identityProvider.issuer).toBe(`http://localhost:8081/realms/${realm.realm}`)
    expect(realm.clients[0].clientId).toBe('mcp-proxy')
  })

  it('names no secret, opens ports on this machine only, and has a version for each image', () => {
    const text = read('deploy/compose/compose.yaml') + read('deploy/compose/realm.json')
    for (const [, value] of text.matchAll(/(?:PASSWORD|SECRET|KEYS__0|"secret"|"value"):? "?([^\s",}]+)/g))
      expect(value).toMatch(/^\$\{/)
    for (const [name, { ports = [], image }] of Object.entries<{ ports?: string[]; image: string }>(compose.services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
      if (name !== 'proxy') expect(image).toMatch(/:[\w.-]*\d/)
    }
    expect(Object.keys(compose.services.proxy.depends_on)).toEqual(['keycloak', 'redis'])
  })
})
