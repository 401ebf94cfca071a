// Requests to the server extension, and its words where it refuses.

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** A foreseeable failure: one line of cause, one of what to do, a stable code. */
export class LockgateError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly code: string
  ) {
    super(message);
  }
}

export type Query = { [name: string]: string };

export class Client {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.ask<T>(path, query, { method: 'GET' });
  }

  post<T>(path: string, body: unknown = {}, query: Query = {}): Promise<T> {
    return this.ask<T>(path, query, { method: 'POST', body: JSON.stringify(body) });
  }

  /** The address of something that the browser itself takes, as an image. */
  url(path: string, query: Query = {}): string {
    return URLExt.join(this.settings.baseUrl, 'lockgate', path) + URLExt.objectToQueryString(query);
  }

  private async ask<T>(path: string, query: Query, init: RequestInit): Promise<T> {
    const url = this.url(path, query);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new LockgateError('The Jupyter server does not answer', 'Is it still running? Your work is in this page: keep it open.', 'server-away');
    }
    const text = await response.text();
    if (response.ok) {
      return JSON.parse(text) as T;
    }
    let told: { message?: string; hint?: string; code?: string } = {};
    try {
      told = JSON.parse(text);
    } catch {
      // No answer of ours: the line below says what is known
    }
    throw new LockgateError(
      told.message || `The Jupyter server answered ${response.status}`,
      told.hint ?? 'Its log says more.',
      told.code ?? 'server'
    );
  }
}
