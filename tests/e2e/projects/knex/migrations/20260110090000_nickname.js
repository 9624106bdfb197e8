exports.up = async (knex) => {
  await knex.raw("SET lock_timeout = '2s'");
  await knex.schema.alterTable('users', (table) => {
    table.text('nickname').index('users_nickname');
  });
};

exports.down = (knex) => knex.schema.alterTable('users', (table) => table.dropColumn('nickname'));
