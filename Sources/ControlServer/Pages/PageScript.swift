import ControlTransport
import CryptoPrimitives
import NetTypes

/// The one script of the pages: it asks the browser for a passkey and fills in the form with what comes
/// back. Pages do without it where nothing but a passkey is wanted of it.
///
/// A form says by `data-passkey` whether a passkey is to be made (`create`) or used (`get`), and what is
/// asked for by further `data-` attributes, bytes in hexadecimal. Such forms are hidden until the script has
/// found that the browser has passkeys; what stands in for them has `data-without`.
enum PageScript {
    /// For the page's policy: nothing but this text runs.
    static let hash: String = {
        let bytes = Array(text.utf8)
        return Base64.encode(SHA256.hash(bytes.span.bytes).array)
    }()

    static let text = #"""
        'use strict';
        const bytes = text => Uint8Array.from(text.match(/../g) || [], pair => parseInt(pair, 16));
        const digits = buffer => Array.from(new Uint8Array(buffer || []),
            byte => byte.toString(16).padStart(2, '0')).join('');
        const credentials = text => text.split(' ').filter(Boolean).map(entry => {
            const [id, ...transports] = entry.split(',');
            const credential = {type: 'public-key', id: bytes(id)};
            if (transports.length) credential.transports = transports;
            return credential;
        });
        const use = async data => {
            const made = await navigator.credentials.get({publicKey: {
                challenge: bytes(data.challenge), rpId: data.party, timeout: 300000,
                allowCredentials: credentials(data.credentials), userVerification: data.verification}});
            const response = made.response;
            return {credential: digits(made.rawId), client: digits(response.clientDataJSON),
                authenticator: digits(response.authenticatorData), signature: digits(response.signature),
                handle: digits(response.userHandle)};
        };
        const make = async data => {
            const made = await navigator.credentials.create({publicKey: {
                challenge: bytes(data.challenge), rp: {id: data.party, name: data.partyName}, timeout: 300000,
                user: {id: bytes(data.handle), name: data.user, displayName: data.shown},
                pubKeyCredParams: data.algorithms.split(' ').map(
                    number => ({type: 'public-key', alg: Number(number)})),
                excludeCredentials: credentials(data.credentials), attestation: 'none',
                authenticatorSelection: {residentKey: 'preferred', userVerification: 'preferred'}}});
            const response = made.response;
            return {client: digits(response.clientDataJSON),
                attestation: digits(response.attestationObject),
                transports: response.getTransports ? response.getTransports().join(' ') : ''};
        };
        const reason = error => error.name === 'InvalidStateError'
            ? 'There is a passkey for you on that device already.'
            : 'No passkey was used. Please try again.';
        if (window.PublicKeyCredential && navigator.credentials) {
            for (const part of document.querySelectorAll('[data-without]')) part.hidden = true;
            for (const form of document.querySelectorAll('form[data-passkey]')) {
                form.hidden = false;
                form.addEventListener('submit', async event => {
                    event.preventDefault();
                    const alert = form.querySelector('[role=alert]');
                    const button = form.querySelector('button');
                    alert.hidden = true;
                    button.disabled = true;
                    try {
                        const fields = await (form.dataset.passkey === 'create' ? make : use)(form.dataset);
                        for (const name in fields) form.elements[name].value = fields[name];
                        form.submit();
                    } catch (error) {
                        alert.textContent = reason(error);
                        alert.hidden = false;
                        button.disabled = false;
                        button.focus();
                    }
                });
            }
        }
        """#
}
