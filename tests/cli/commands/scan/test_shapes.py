"""The formats in which people store the keys of other Zulip servers."""

# ruff: noqa: E501, S608 - each format is one line, as people write it, and runs no SQL

from __future__ import annotations

import base64
import json

import pytest

from keybearer.cli.commands.scan.recognition import search

F = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"
"""A key in Zulip's present form."""

OLD = "9f3b7c04d1e86a52b07fe4c93d18a6b5"
"""A key in Zulip's form until 2019: hexadecimal digits, like a hash."""

ACCOUNT = "a-bot@x.org"
SITE = "https://chat.x.org"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SHAPES = {
    # Programs
    "a notebook": json.dumps({"cells": [{"source": [f'zulip.Client(email="{ACCOUNT}", api_key="{F}")\n']}]}),
    "arguments by position": f'client = zulip.Client("{ACCOUNT}", "{F}", "{SITE}")',
    "constants in a module": f'import zulip\n\nEMAIL = "{ACCOUNT}"\nAPI_KEY = "{F}"\n',
    "requests": f'requests.post("https://x.zulipchat.com/api/v1/messages", auth=("{ACCOUNT}", "{F}"))',
    "HTTPBasicAuth": f'HTTPBasicAuth("{ACCOUNT}", "{F}")  # chat.zulip.org',
    "a default of getenv": f'os.environ.get("ZULIP_API_KEY", "{F}")',
    "a default of argparse": f'parser.add_argument("--zulip-api-key", default="{F}")',
    "a setting of pydantic": f'zulip_api_key: SecretStr = SecretStr("{F}")',
    "bytes": f'ZULIP_API_KEY = b"{F}"',
    "zulip-js": f'zulip({{ username: "{ACCOUNT}", apiKey: "{F}", realm: "{SITE}" }})',
    "a fallback in JavaScript": f"const key = process.env.ZULIP_API_KEY || '{F}';",
    "a nullish fallback": f"const key = process.env.ZULIP_API_KEY ?? '{F}';",
    "TypeScript": f'private readonly zulipApiKey: string = "{F}";',
    "a template literal": f"const ZULIP_KEY = `{F}`;",
    "constants in JavaScript": f'const api_key = "{F}";\nconst my_email = "{ACCOUNT}";\nconst site = "https://x.zulipchat.com";',
    "Java": f'private static final String ZULIP_API_KEY = "{F}";',
    "a builder in Java": f'new Zulip.Builder().email("{ACCOUNT}").apiKey("{F}").site("{SITE}").build()',
    "System.getenv": f'System.getenv().getOrDefault("ZULIP_API_KEY", "{F}")',
    "Kotlin": f'const val ZULIP_BOT_API_KEY = "{F}"',
    "Groovy": f'String zulipEmail = "{ACCOUNT}"\nString zulipAPIKey = "{F}"',
    "C#": f'public const string ZulipApiKey = "{F}";',
    "an object in C#": f'new ZulipClient {{ Email = "{ACCOUNT}", ApiKey = @"{F}" }}',
    "Go": f'const zulipAPIKey = "{F}"',
    "a struct in Go": f'zulip.Config{{\n\tEmail:  "{ACCOUNT}",\n\tAPIKey: "{F}",\n}}',
    "os.Setenv": f'os.Setenv("ZULIP_API_KEY", "{F}")',
    "Rust": f'const ZULIP_API_TOKEN: &str = "{F}";',
    "String::from": f'let zulip_key = String::from("{F}");',
    "Ruby": f"Zulip::Client.new(site: '{SITE}', username: '{ACCOUNT}', api_key: '{F}')",
    "a hash in Ruby": f":zulip_api_key => '{F}',",
    "ENV.fetch": f"ENV.fetch('ZULIP_API_KEY', '{F}')",
    "PHP": f"define('ZULIP_API_KEY', '{F}');",
    "an array in PHP": f"['zulip' => ['email' => '{ACCOUNT}', 'key' => '{F}']]",
    "Perl": f"WebService::Zulip->new(api_key => '{F}', api_user => '{ACCOUNT}')",
    "C": f'#define ZULIP_API_KEY "{F}"',
    "Elixir": f'config :app, zulip_api_key: "{F}"',
    "Lua": f'local zulip = {{ email = "{ACCOUNT}", api_key = [[{F}]] }}',
    "Emacs": f'(setq zulip-api-key "{F}")',
    "R": f'Sys.setenv(ZULIP_API_KEY = "{F}")',
    "Swift": f'let zulip = Zulip(config: ZulipConfig(emailAddress: "{ACCOUNT}", apiKey: "{F}", realmURL: "{SITE}"))',
    "Nix": f'services.zulip-bot.apiKey = "{F}";',
    "Puppet": f"class {{ 'zulip::bot': api_key => '{F}' }}",
    # Settings
    "Errbot": f"BOT_IDENTITY = {{'email': '{ACCOUNT}', 'key': '{F}', 'site': 'https://x.zulipchat.com'}}",
    "Errbot over lines": f"BACKEND = 'Zulip'\nBOT_IDENTITY = {{\n  'email': '{ACCOUNT}',\n  'key': '{F}',\n  'site': '{SITE}'\n}}",
    "Hubot": f"HUBOT_ZULIP_BOT={ACCOUNT} HUBOT_ZULIP_API_KEY={F} bin/hubot -a zulip",
    "Botkit": f"BOTKIT_ZULIP_API_KEY={F}",
    "YAML": f"zulip:\n  email: {ACCOUNT}\n  key: {F}\n  site: https://x.org\n",
    "YAML in another order": f"chat:\n  key: {F}\n  email: {ACCOUNT}\n  site: https://x.org\n",
    "YAML without a mention of Zulip": f"email: {ACCOUNT}\nkey: {F}\nsite: https://x.org\n",
    "an anchor in YAML": f"zulip_api_key: &key {F}\n",
    "a block in YAML": f"zulip_api_key: >-\n  {F}\n",
    "a tag in YAML": f"zulip_api_key: !!str {F}\n",
    "JSON": json.dumps({"zulip": {"email": ACCOUNT, "key": F, "site": SITE}}, indent=2),
    "JSON in JSON": json.dumps({"config": json.dumps({"zulip_key": F})}),
    "JSON5": f"{{zulip: {{apiKey: '{F}',}}}}",
    "TOML": f'[zulip]\nemail = "{ACCOUNT}"\nkey = "{F}"\n',
    "matterbridge": f'[zulip.work]\nToken="{F}"\nLogin="{ACCOUNT}"\nServer="{SITE}"\n',
    "INI": f"[zulip]\nuser = {ACCOUNT}\napi_key = {F}\n",
    "properties": f"zulip.api.key={F}",
    "XML attributes": f'<add key="ZulipApiKey" value="{F}"/>',
    "XML elements": f"<zulip><email>{ACCOUNT}</email><apiKey>{F}</apiKey></zulip>",
    "Jenkins": f"<jenkins.plugins.zulip.DescriptorImpl><url>{SITE}/</url><email>{ACCOUNT}</email><apiKey>{F}</apiKey>",
    "a plist": f"<key>ZULIP_API_KEY</key>\n<string>{F}</string>",
    "a .reg file": f'[HKEY_CURRENT_USER\\Software\\Zulip]\n"ApiKey"="{F}"',
    "CSV": f"{ACCOUNT},{F},https://x.org\n",
    "SQL": f"INSERT INTO bots VALUES ('{ACCOUNT}', '{F}', 'https://x.zulipchat.com');",
    "Home Assistant": f"rest_command:\n  zulip:\n    url: {SITE}/api/v1/messages\n    username: {ACCOUNT}\n    password: {F}\n",
    "Gatus": f"alerting:\n  zulip:\n    bot-email: {ACCOUNT}\n    bot-api-key: {F}\n    domain: x.zulipchat.com\n",
    "Robusta": f"- zulip_sink:\n    api_url: {SITE}\n    bot_email: {ACCOUNT}\n    bot_api_key: {F}\n",
    "Grafana": f"contactPoints:\n  - settings:\n      url: {SITE}/api/v1/external/grafana?api_key={F}&stream=ops",
    "Alertmanager": f"webhook_configs:\n  - url: '{SITE}/api/v1/external/alertmanager?api_key={F}&name=x'",
    "Alertmanager with a password": f"url: {SITE}/api/v1/messages\nbasic_auth:\n  username: {ACCOUNT}\n  password: {F}\n",
    "Sentry": f'SENTRY_WEBHOOK = "{SITE}/api/v1/external/sentry?api_key={F}"',
    "Nagios": f"define command {{ command_line nagios-notify-zulip --user {ACCOUNT} --api-key={F} --site {SITE} }}",
    "Apprise": f"zulip://bot@organization/{F}/general",
    "Shoutrrr": f"zulip://a-bot%40x.org:{F}@chat.x.org/?stream=ops",
    "an MCP server": json.dumps({"args": ["zulipchat-mcp", "--zulip-email", ACCOUNT, "--zulip-api-key", F]}),
    "n8n": json.dumps({"type": "zulipApi", "data": {"url": SITE, "email": ACCOUNT, "apiKey": F}}),
    # Machines
    "GitHub Actions": f"- uses: zulip/github-actions-zulip/send-message@v1\n  with:\n    api-key: {F}\n    email: {ACCOUNT}\n",
    "GitHub's env": f"env:\n  ZULIP_BOT_KEY: {F}\n",
    "gh secret": f"gh secret set ZULIP_API_KEY --body {F}",
    "GitLab CI": f'variables:\n  ZULIP_API_KEY:\n    value: "{F}"\n    description: "The key"\n',
    "Travis": f'env:\n  global:\n    - ZULIP_API_KEY="{F}"\n',
    "CircleCI": f"environment:\n  ZULIP_TOKEN: {F}\n",
    "Jenkinsfile": f"environment {{ ZULIP_API_KEY = '{F}' }}",
    "docker run": f"docker run -e ZULIP_API_KEY={F} bot",
    "a Dockerfile": f'ENV ZULIP_SITE="{SITE}" \\\n    ZULIP_API_KEY="{F}"\n',
    "a build argument": f"ARG ZULIP_API_KEY={F}",
    "docker-compose": f"environment:\n  - ZULIP_EMAIL={ACCOUNT}\n  - ZULIP_API_KEY={F}\n",
    "a default in docker-compose": f"ZULIP_API_KEY: ${{ZULIP_API_KEY:-{F}}}",
    "a Kubernetes Secret": f"kind: Secret\ndata:\n  ZULIP_API_KEY: {b64(F)}\n",
    "a Kubernetes Secret of parts": f"data:\n  email: {b64(ACCOUNT)}\n  key: {b64(F)}\n  site: {b64(SITE)}\n",
    "a Kubernetes Secret with a line break": f"data:\n  zulip-api-key: {b64(F + chr(10))}\n",
    "a Kubernetes Secret with a zuliprc": f"data:\n  zuliprc: {b64(f'[api]{chr(10)}email={ACCOUNT}{chr(10)}key={F}{chr(10)}site={SITE}{chr(10)}')}\n",
    "stringData": f"stringData:\n  zuliprc: |\n    [api]\n    email={ACCOUNT}\n    key={F}\n    site={SITE}\n",
    "kubectl": f"kubectl create secret generic zulip --from-literal=api-key={F}",
    "Helm values": f"zulip:\n  secret:\n    apiKey: {F}\n",
    "helm --set": f"helm install bot . --set zulip.apiKey={F}",
    "Terraform": f'variable "zulip_api_key" {{\n  type      = string\n  sensitive = true\n  default   = "{F}"\n}}',
    "tfvars": f'zulip_api_key = "{F}"',
    "Terraform's state": json.dumps({"attributes": {"name": "ZULIP_API_KEY", "plaintext_value": F}}),
    "terraform -var": f"terraform apply -var 'zulip_api_key={F}'",
    "HCL": f'zulip {{\n  email = "{ACCOUNT}"\n  key   = "{F}"\n}}',
    "Ansible": f"- community.general.zulip:\n    email: {ACCOUNT}\n    api_key: {F}\n",
    "Ansible's inventory": f"[bots]\nbot1 ansible_host=x zulip_api_key={F}\n",
    "Salt": f"zulip:\n  bot:\n    key: {F}\n",
    "a systemd unit": f'[Service]\nEnvironment="ZULIP_API_KEY={F}"\n',
    "AWS": f"aws ssm put-parameter --name /prod/zulip_api_key --type SecureString --value {F}",
    "Vault": f"vault kv put secret/zulip email={ACCOUNT} api_key={F}",
    "Heroku": f"heroku config:add HUBOT_ZULIP_API_KEY={F}",
    "an .npmrc of a script": f"npm_config_zulip_token={F}",
    # Shells
    "a dotenv with quotes": f"ZULIP_API_KEY='{F}'",
    "direnv": f"export ZULIP_API_KEY={F}",
    "a default in a shell": f"${{ZULIP_API_KEY:-{F}}}",
    "an assignment in a default": f': "${{ZULIP_API_KEY:={F}}}"',
    "variables in a script": f'BOT_EMAIL="{ACCOUNT}"\nBOT_API_KEY="{F}"\ncurl -u "$BOT_EMAIL:$BOT_API_KEY" {SITE}/api/v1/messages',
    "history": f": 1700000000:0;export ZULIP_API_KEY={F}",
    "fish": f"set -gx ZULIP_API_KEY {F}",
    "csh": f"setenv ZULIP_API_KEY {F}",
    "PowerShell": f'$env:ZULIP_API_KEY = "{F}"',
    "SetEnvironmentVariable": f'[Environment]::SetEnvironmentVariable("ZULIP_API_KEY", "{F}", "User")',
    "batch": f"set ZULIP_API_KEY={F}",
    "setx": f'setx ZULIP_API_KEY "{F}"',
    "curl": f"curl -sSX POST {SITE}/api/v1/messages -u {ACCOUNT}:{F}",
    "curl over lines": f"curl {SITE}/api/v1/messages \\\n    --user '{ACCOUNT}:{F}' \\\n    -d type=stream",
    "curl's netrc": f"machine chat.x.org login {ACCOUNT} password {F}",
    "netrc over lines": f"machine x.zulipchat.com\n  login {ACCOUNT}\n  password {F}\n",
    "wget": f"wget --user={ACCOUNT} --password={F} {SITE}/api/v1/users/me",
    "HTTPie": f"http -a {ACCOUNT}:{F} {SITE}/api/v1/users/me",
    "an address with the account": f"https://a-bot%40x.org:{F}@chat.x.org/api/v1/messages",
    "zulip-send": f"zulip-send --user {ACCOUNT} --api-key {F} --site {SITE}",
    "a here document": f"cat > ~/.zuliprc <<EOF\n[api]\nemail={ACCOUNT}\nkey={F}\nsite={SITE}\nEOF\n",
    "echo": f'echo -e "[api]\\nemail={ACCOUNT}\\nkey={F}\\nsite={SITE}" > ~/.zuliprc',
    "printf": f"printf '[api]\\nkey=%s\\n' {F} > zuliprc",
    # Logs, mails, documents
    "a removed line of a diff": f" [api]\n-key={F}\n+key=$KEY\n",
    "a diff of a zuliprc": f"@@ -1,4 +1,4 @@\n [api]\n email={ACCOUNT}\n-key={F}\n+key=\n site={SITE}\n",
    "a Basic header": f"Authorization: Basic {b64(f'{ACCOUNT}:{F}')}",
    "a Basic header in JSON": json.dumps({"headers": {"Authorization": f"Basic {b64(f'{ACCOUNT}:{F}')}"}}),
    "a Basic header behind an escape": f'"Authorization:\\nBasic\\n{b64(f"{ACCOUNT}:{F}")}"',
    "an access log": f'10.0.0.1 - - "POST /api/v1/external/github?api_key={F}&stream=x HTTP/1.1" 200',
    "an encoded address": f"redirect=https%3A%2F%2Fchat.x.org%2Fapi%2Fv1%2Fexternal%2Fgitlab%3Fapi_key%3D{F}%26stream%3Dx",
    "an address in HTML": f'<a href="{SITE}/api/v1/external/jira?stream=x&amp;api_key={F}">',
    "HTML": f"<td>ZULIP_API_KEY</td><td><code>{F}</code></td>",
    "escaped quotes in HTML": f"data-config='{{&quot;zulip_api_key&quot;:&quot;{F}&quot;}}'",
    "colours in a log": f"ZULIP_API_KEY=\x1b[32m{F}\x1b[0m",
    "quoted-printable": f"ZULIP_API_KEY=3D{F}\r\n",
    "quoted-printable over lines": f"ZULIP_API_KEY=3D{F[:10]}=\r\n{F[10:]}\r\n",
    "a table in Markdown": f"| ZULIP_API_KEY | `{F}` |",
    "a sentence": f"Our Zulip bot's API key is {F}, please do not share it.",
    "the API's answer": json.dumps({"result": "success", "msg": "", "api_key": F, "email": ACCOUNT}) + " # zulip",
    "form data": f"POST /api/v1/fetch_api_key zulip\n\nusername={ACCOUNT}&api_key={F}",
    "UTF-16 in PowerShell": "powershell -enc "
    + base64.b64encode(f"$env:ZULIP_API_KEY='{F}'".encode("utf-16-le")).decode(),
    "escapes for every letter": "zulip_api_key=" + "".join(f"%{ord(c):02X}" for c in F),
    "base64 in lines": base64.encodebytes(f"{'-' * 99}\n[api]\nemail={ACCOUNT}\nkey={F}\n".encode()).decode(),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_the_key_of_another_server_is_found_in_common_formats(text: str) -> None:
    assert [leak.key.reveal() for leak in search(text)] == [F]


STRONG = (
    "a dotenv with quotes", "Errbot", "YAML", "a removed line of a diff", "requests", "a default in a shell", "curl",
    "Grafana", "a Kubernetes Secret", "a notebook", "GitHub Actions", "Terraform", "XML attributes", "zulip-send",
    "YAML without a mention of Zulip",
)  # fmt: skip


@pytest.mark.parametrize("name", STRONG)
def test_an_old_zulip_key_of_hexadecimal_digits_is_found(name: str) -> None:
    text = SHAPES[name].replace(b64(F), b64(OLD)).replace(F, OLD)

    assert [leak.key.reveal() for leak in search(text)] == [OLD]


HARMLESS = {
    "a cache's key": f"zulip_cache_key = '{OLD}'",
    "a cache's key in mixed letters": f"ZULIP_CACHE_KEY={F}",
    "a salt": f"[secrets]\navatar_salt = {OLD}\nzulip_secret_salt = {OLD}\n",
    "a secret of the server": f"/etc/zulip/zulip-secrets.conf\nshared_secret = {OLD}\ncamo_key = {OLD}\n",
    "a hash of a key": f"zulip_api_key_md5: {OLD}\nzulip_token_hash = {OLD}\n",
    "an entity tag": f'GET https://chat.zulip.org/ a@x.org\nETag: "{OLD}"\n',
    "the example of Zulip's documentation": "ZULIP_API_KEY = '0123456789abcdef0123456789abcdef'",
    "the other example of Zulip's documentation": "--api-key a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5 # zulip",
    "a placeholder in words": "ZULIP_API_KEY=YourZulipApiKeyGoesRightHereOkay",
    "a name": "zulip_key = getZulipApiKeyFromConfigurationX",
    "a session": f'{{"site": "https://x.zulipchat.com", "user": "a@x.org", "session_id": "{OLD}"}}',
    "a key of another product": f"ZULIP_SITE=https://chat.zulip.org\nDATADOG_API_KEY={OLD}\n",
    "an endpoint of another product": f"https://api.datadoghq.com/api/v1/series?api_key={OLD}",
    "npm": f'"node_modules/zulip-js": {{"integrity": "sha512-{F}+{F}/{F[:22]}==", "author": "a@x.org"}}',
    "yarn": f'zulip-js@^2.0.0:\n  resolved "https://registry.yarnpkg.com/zulip-js-2.tgz#{OLD}{OLD[:8]}"\n',
    "Cargo": f'name = "zulip"\nsource = "registry+https://x"\nchecksum = "{OLD}{OLD}"\n',
    "go.sum": f"github.com/zulip/zulip v1.0.0 h1:{F}+{F[:10]}=\n",
    "pip": f"zulip==0.9.1 --hash=md5:{OLD}\n",
    "Gravatar": f"https://chat.zulip.org a@x.org https://secure.gravatar.com/avatar/{OLD}?d=identicon\n",
    "an upload": f"https://x.zulipchat.com/user_uploads/2/ab/{F[:24]}/image.png by a@x.org",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_text_near_zulip_that_is_not_a_key_is_not_reported(text: str) -> None:
    assert search(text) == []
