import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, Deployments, Pods, ServiceAccounts } from 'k8ts';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { root } from '../../support/tools.ts';

const CHROMIUM = '/usr/bin/chromium';
const screenshots = join(root, '.cache', 'screenshots');

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'shop', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'shop' } },
    template: {
      metadata: { labels: { app: 'shop' } },
      spec: { containers: [{ name: 'shop', image: 'example.com/shop:1' }] },
    },
  },
};

describe.skipIf(!existsSync(CHROMIUM))('the dashboard in a browser (needs chromium)', () => {
  let cluster: Cluster;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];
  const shot = (name: string) => page.screenshot({ path: join(screenshots, `${name}.png`) });
  const go = async (name: string) => {
    await page.getByRole('link', { name, exact: true }).first().click();
  };

  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    cluster = await Cluster.start({ runtime: 'simulated', datastore: 'memory' });
    await cluster.client.for(Deployments).create(deployment as never);
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(cluster.addresses.dashboard!);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  it('refuses wrong credentials with a reason', async () => {
    await page.getByRole('tab', { name: 'Token' }).click();
    await page.getByRole('textbox', { name: 'Token' }).fill('nonsense');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('the API server does not accept these credentials').waitFor();
    expect((await page.request.get(`${cluster.addresses.dashboard}/k8s/api/v1/pods`)).status()).toBe(401);
  });

  it("logs in with the kubeconfig's identity and shows the five phases and their timeline", async () => {
    await page.getByRole('tab', { name: 'Kubeconfig' }).click();
    await page.getByRole('textbox', { name: 'Kubeconfig' }).fill(cluster.kubeconfig);
    await shot('login');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('kubernetes-admin').waitFor();
    for (const phase of ['control plane', 'kubelet', 'kube-proxy', 'add-ons', 'ready'])
      await page.getByText(phase, { exact: true }).first().waitFor();
    await page.getByText('controller-manager').waitFor();
    await shot('overview');
  });

  it('shows nodes, workloads, and pods that change while one looks', async () => {
    await go('Nodes');
    await page.getByText('node-1', { exact: true }).waitFor();
    await go('Workloads');
    await page.getByText('2/2').waitFor();
    await shot('workloads');
    await go('Pods');
    await eventually(async () => expect(await page.getByText('Running', { exact: true }).count()).toBe(2));
    await shot('pods');
    await cluster.client
      .for(Deployments)
      .patch({ name: 'shop', namespace: 'default' }, 'merge', { spec: { replicas: 3 } });
    await eventually(async () => expect(await page.getByText('Running', { exact: true }).count()).toBe(3));
  });

  it("shows a pod's events and its logs", async () => {
    const [pod] = (await cluster.client.for(Pods).list({ namespace: 'default' })).items;
    await page.getByRole('link', { name: pod!.metadata.name }).click();
    await page.getByText('Scheduled', { exact: true }).waitFor();
    await page.getByText('started', { exact: false }).first().waitFor();
    await shot('pod');
    await go('Events');
    await page.getByText('ScalingReplicaSet').first().waitFor();
  });

  it('acts with no more than the identity that logged in', async () => {
    const token = (
      await cluster.client
        .for(ServiceAccounts)
        .createSubresource<{ status: { token: string } }>({ name: 'default', namespace: 'default' }, 'token', {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          metadata: {},
          spec: { audiences: [], expirationSeconds: 600 },
        })
    ).status.token;
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('tab', { name: 'Token' }).click();
    await page.getByRole('textbox', { name: 'Token' }).fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('system:serviceaccount:default:default', { exact: true }).waitFor();
    await page.goto(`${cluster.addresses.dashboard}/#/pods`);
    await page.getByText('cannot list resource "pods"').first().waitFor();
    expect(errors).toEqual([]);
  });
});
