// As the action lays files out: below the folder that all paths given have in common; one file alone has no folder.
const fs = require('fs');
const path = require('path');

const fail = (message) => {
  console.log(`::error::${message}`);
  process.exit(1);
};
const name = process.env.INPUT_NAME;
if (!/^[^":<>|*?\r\n\\/]+$/.test(name)) fail(`no name of an artifact: ${name}`);
const given = process.env.INPUT_PATH.split('\n').map((line) => line.trim()).filter(Boolean);
if (given.some((line) => /[*?[!~]/.test(line))) fail('patterns are for the real action');
const paths = given.map((line) => path.resolve(line));

const there = paths.filter((file) => fs.existsSync(file));
if (there.length === 0) {
  const message = `no files were found with the provided path: ${given.join(', ')}`;
  if (process.env['INPUT_IF-NO-FILES-FOUND'] === 'error') fail(message);
  console.log(message);
  process.exit(0);
}
let root = path.dirname(paths[0]);
if (paths.length === 1 && fs.statSync(paths[0]).isDirectory()) root = paths[0];
if (paths.length > 1) {
  const parts = paths.map((file) => file.split(path.sep));
  let same = 0;
  while (parts.every((list) => list[same] !== undefined && list[same] === parts[0][same])) same += 1;
  root = parts[0].slice(0, same).join(path.sep);
}
const target = path.join(process.env.ARTIFACTS, name);
if (fs.existsSync(target)) fail(`an artifact with this name already exists: ${name}`);
for (const file of there) {
  fs.cpSync(file, path.join(target, path.relative(root, file)), { recursive: true });
}
console.log(`uploaded ${name}`);
