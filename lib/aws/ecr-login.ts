/**
 * A login for a registry of AWS (ECR), asked for with the account's keys. No `aws` program is needed.
 *
 * @module
 */

import { AwsError, ContentError } from '../errors.ts'
import { type AwsCall, type AwsKeys, signedPost } from './signed-post.ts'

export interface EcrAccess extends AwsKeys {
  readonly region: string
  /** Whose registry; absent = of the account the keys belong to. */
  readonly accountId?: string | undefined
  /** Instead of AWS's own addresses. */
  readonly endpoints: { readonly ecr?: string | undefined; readonly sts?: string | undefined }
  readonly signal: AbortSignal
}

export interface EcrLogin {
  /** Of the registry, as URL. */
  readonly address: string
  readonly username: string
  readonly password: string
}

interface TokenAnswer {
  readonly authorizationData?: ReadonlyArray<{
    readonly authorizationToken?: string
    readonly proxyEndpoint?: string
  }>
}

/** Partitions whose hosts are not under amazonaws.com, by how the names of their regions begin. */
const DOMAINS: Readonly<Record<string, string>> = {
  'cn-': 'amazonaws.com.cn',
  'eusc-': 'amazonaws.eu',
  'us-iso-': 'c2s.ic.gov',
  'us-isob-': 'sc2s.sgov.gov',
}

/**
 * @throws {ContentError} for a region or account that cannot be one
 * @throws {AwsError} when AWS says no or nothing
 */
export async function getEcrLogin(access: EcrAccess): Promise<EcrLogin> {
  const { region, endpoints, signal } = access
  if (!/^[a-z0-9-]+$/.test(region)) throw unusable('AWS_REGION', 'a region like eu-central-1')
  const account = access.accountId ?? (await getAccountId(access))
  if (!/^\d{12}$/.test(account)) throw unusable('AWS_ACCOUNT_ID', 'an account number of 12 digits')

  const call: AwsCall = {
    action: `give a login for the registry of account ${account}`,
    service: 'ecr',
    region,
    url: endpoints.ecr ?? `https://api.ecr.${region}.${domainOf(region)}/`,
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
    },
    body: JSON.stringify({ registryIds: [account] }),
    signal,
  }
  const text = await signedPost(access, call)
  return readLogin(text) ?? unexpected(call)
}

async function getAccountId(access: EcrAccess): Promise<string> {
  const { region, endpoints, signal } = access
  const call: AwsCall = {
    action: 'identify the owner of the keys',
    service: 'sts',
    region,
    url: endpoints.sts ?? `https://sts.${region}.${domainOf(region)}/`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
    signal,
  }
  const text = await signedPost(access, call)
  return /<Account>(\d+)<\/Account>/.exec(text)?.[1] ?? unexpected(call)
}

function readLogin(text: string): EcrLogin | undefined {
  const [data] = parseTokens(text).authorizationData ?? []
  const token = Buffer.from(data?.authorizationToken ?? '', 'base64').toString()
  const colon = token.indexOf(':')
  if (data?.proxyEndpoint === undefined || colon < 1) return undefined
  const { proxyEndpoint: address } = data
  return { address, username: token.slice(0, colon), password: token.slice(colon + 1) }
}

function parseTokens(text: string): TokenAnswer {
  try {
    return JSON.parse(text) as TokenAnswer
  } catch {
    return {} // reported by the caller: no login
  }
}

function domainOf(region: string): string {
  const found = Object.entries(DOMAINS).find(([beginning]) => region.startsWith(beginning))
  return found?.[1] ?? 'amazonaws.com'
}

function unusable(name: string, what: string): ContentError {
  return new ContentError(`${name} of an image pull credential is not ${what}`, {
    hint: `Correct ${name} in compose.image_pull_credentials of the job.`,
  })
}

function unexpected({ action, url }: AwsCall): never {
  throw new AwsError(`${new URL(url).host} did not ${action}: its response is not as expected`, {
    hint: "Check the agent's AWS_ENDPOINT_URL, and proxies between it and AWS.",
  })
}
