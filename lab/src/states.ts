// A drive whose files are earlier states of projects, to read and not to write: COMMIT/PATH.

import { Drive, ServerConnection } from '@jupyterlab/services';

export const DRIVE = 'LockgateState';

export function stateDrive(serverSettings: ServerConnection.ISettings): Drive {
  const drive = new Drive({ name: DRIVE, apiEndpoint: 'lockgate/states', serverSettings });
  // With real-time collaboration notebooks are asked of a provider that shares them: a state is not shared
  const registry = drive.contentProviderRegistry;
  const usual = registry.getProvider.bind(registry);
  registry.getProvider = () => usual(undefined);
  return drive;
}
