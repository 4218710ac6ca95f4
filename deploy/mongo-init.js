// Creates the replica set and the worker's user. If it runs again, it changes only that user's password and roles.
// It reads its values from the environment, so that no password appears in a process list.
const env = process.env;
const seed = env.MONGO_MEMBERS.split(",")[0];
const url = `mongodb://${seed}/admin?directConnection=true&serverSelectionTimeoutMS=2000`;

// mongod restarts once while its image creates the root user; until then no login works.
function until(what, attempt) {
  let last;
  for (let tries = 0; tries < 60; tries += 1) {
    try {
      const answer = attempt();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    sleep(1000);
  }
  print(`mongo-init: gave up after 60 tries: ${what}: ${last ? last.message : "condition not met"}`);
  quit(1);
}

const admin = until(`log in at ${seed} as ${env.MONGO_ROOT_USERNAME}`, () =>
  connect(url, env.MONGO_ROOT_USERNAME, env.MONGO_ROOT_PASSWORD),
);

try {
  admin.adminCommand({ replSetGetStatus: 1 });
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  const members = env.MONGO_MEMBERS.split(",").map((host, _id) => ({ _id, host }));
  admin.adminCommand({ replSetInitiate: { _id: "rs0", members } });
  print(`mongo-init: replica set rs0 of ${env.MONGO_MEMBERS}`);
}

until(`${seed} to be primary`, () => admin.hello().isWritablePrimary);

// The worker needs exactly these actions. With its password an attacker can add entries to the audit log, but can
// neither change nor remove an entry. At its start the worker only checks that a user with the permission has run
// `hospital-worker schema`.
const ACTIONS = {
  "": ["listCollections"],
  "hospitals": ["find", "insert", "update", "remove", "listIndexes"],
  "logs": ["find", "insert", "listIndexes"],
  "applied_jobs": ["find", "insert", "update", "listIndexes"],
  "import_claims": ["find", "insert", "remove", "listIndexes"],
  "imports": ["find", "insert", "update", "listIndexes"],
  "import_reports": ["find", "insert", "update", "listIndexes"],
  "actions": ["find", "insert", "listIndexes"],
  "job_history": ["find", "insert", "remove", "listIndexes"],
  "outbox": ["find", "remove", "changeStream", "listIndexes"],
  "outbox_hospitals": ["listIndexes"]
};
const ROLE = `hospital_worker_of_${env.MONGODB_DATABASE}`;
const role = {
  privileges: Object.entries(ACTIONS).map(([collection, actions]) => ({
    resource: { db: env.MONGODB_DATABASE, collection },
    actions,
  })),
  roles: [],
};
if (admin.getRole(ROLE)) {
  admin.updateRole(ROLE, role);
} else {
  admin.createRole({ role: ROLE, ...role });
}

const user = { pwd: env.MONGO_APP_PASSWORD, roles: [ROLE] };
if (admin.getUser(env.MONGO_APP_USERNAME)) {
  admin.updateUser(env.MONGO_APP_USERNAME, user);
} else {
  admin.createUser({ user: env.MONGO_APP_USERNAME, ...user });
}
print(`mongo-init: user ${env.MONGO_APP_USERNAME} of ${env.MONGODB_DATABASE}`);
