import { definePlugin, z } from 'k8ts/sdk';

/** Accepts the bearer token `option1` as the user `option2`. */
export default definePlugin({
  name: 'my-auth-plugin',
  type: 'authentication',
  options: z.strictObject({
    option1: z.string().min(1).describe('the bearer token'),
    option2: z.string().min(1).describe('the name of the user whom it authenticates'),
  }),
  setup(context, { option1: token, option2: name }) {
    context.authentication.register({
      name: 'my-auth-plugin',
      authenticate: ({ bearerToken }) => (bearerToken === token ? { user: { name, groups: [] } } : undefined),
    });
    context.logger.info({ user: name }, 'ready');
  },
});
