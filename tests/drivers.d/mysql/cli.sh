#!/bin/bash
# cli.sh - the mariadb client, mariadb-dump and mariadb-import: what they print, and a dump, its restore, and a dump of that.

export MYSQL_PWD=$MY_PASSWORD
TO=(--no-defaults --protocol=TCP -h "$MY_HOST" -P "$MY_PORT" -u "$MY_USER")
[ -z "$MY_CA" ] || TO+=(--ssl-ca="$MY_CA" --ssl-verify-server-cert)

ask() { mariadb "${TO[@]}" "$MY_DATABASE" "$@" 2>&1; }
begin() { echo "begin $1"; }
dump() { mariadb-dump "${TO[@]}" --compact --skip-dump-date --routines --triggers --events "$@"; }

make_schema() {
    ask <<'EOF' || return
drop table if exists c_child, c_parent; drop view if exists c_view; drop procedure if exists c_proc; drop function if exists c_func;
create table c_parent (id int auto_increment primary key, name varchar(50) character set utf8mb4 not null default 'ü''s', unique (name));
create table c_child (id int primary key, parent int, data longblob, j json, at timestamp(3) null, b bit(9), d double,
  v int generated always as (id * 2) stored, foreign key (parent) references c_parent (id), index (at));
EOF
    ask <<'EOF'
insert into c_parent (name) values ('one'), ('🐬 \\ '' "'), ('');
insert into c_child (id, parent, data, j, at, b, d) values (1, 1, x'00ff0a0d1a275c22', '{"a": 1}', '2026-01-01 00:00:00.123', b'101', 1e-300),
  (2, null, repeat(x'00ff', 600000), null, null, null, null);
create view c_view as select p.name, count(*) as n from c_parent p left join c_child c on c.parent = p.id group by p.name;
delimiter //
create trigger c_trigger before insert on c_child for each row begin if new.d is null then set new.d = 7; end if; end//
create procedure c_proc(in a int, out b int) begin set b = a + 1; select 'in it; yes' as told; end//
create function c_func(a int) returns int deterministic return a * 2//
delimiter ;
EOF
}

drop_schema() {
    ask -e 'drop view c_view; drop table c_child, c_parent; drop procedure c_proc; drop function c_func'
}

echo "version mariadb,_mariadb-dump $(mariadb --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+-MariaDB')"

begin login
ask -e 'select 1, current_user(), database()'
mariadb "${TO[@]}" -e 'select database()' 2>&1
MYSQL_PWD=wrong ask -e 'select 1'
mariadb "${TO[@]}" -u nobody -e 'select 1' 2>&1

begin tls
if [ -n "$MY_CA" ]; then
    [ "$(ask -N -e 'select 1')" = 1 ] && echo "encrypted yes"
    mariadb --no-defaults --protocol=TCP -h "$MY_HOST" -P "$MY_PORT" -u "$MY_USER" --skip-ssl -e 'select 1' 2>&1
    ask --ssl-ca="$MY_OTHER_CA" -e 'select 1' >/dev/null && echo "stranger taken"
    true
else
    echo -
fi

begin types
ask -t -e 'select * from d_types where id < 3\G' --binary-as-hex
ask --column-type-info -e 'select * from d_types where id = 2'
ask -X -e 'select 1 as a, null as b'
ask -e 'select * from d_types' | md5sum

begin unicode
ask --default-character-set=utf8mb4 -e "select 'ü 漢字 🐬', length('🐬')"
ask --default-character-set=latin1 -e "select length('ü')"

begin results
ask -vv -e "call d_two(); set @b = 0, @c = 'x'; call d_out(1, @b, @c); select @b, @c" | sed 's/([0-9.]* sec)//'
ask -e 'delimiter //
select 1; select 2//'

begin keys
ask -vv -e "insert into d_keys (v) values (1), (2); update d_keys set v = 2; select last_insert_id(), row_count(); truncate d_keys" | sed 's/([0-9.]* sec)//'

begin errors
ask -f -v -e 'selec; select * from nowhere; insert into d_money values (1, -1); select 1/0; show warnings' --show-warnings
ask -e 'use nowhere'

begin large
ask -N -e 'select repeat("x", 1 << 20), repeat("y", 17 << 20)' --max-allowed-packet=64M | md5sum
{ echo -n "select length('"; head -c 3000000 /dev/zero | tr '\0' z; echo "')"; } | ask -N

begin stream
ask --quick -N -e 'select seq, repeat("x", 500) from seq_1_to_20000' | md5sum

begin schema
ask -e 'use information_schema; select database(); use shop; select database(); show tables like "d\_%"; describe d_money'
ask -A -e 'status' | grep -E '^(Current|Server characterset|Db|Client|Conn|Protocol)' | grep -v '^Connection id'

begin reset
ask -e 'set @a = 1; \x
select @a, database()' | sed 's/^ERROR.*/refused: &/'

begin ping
mariadb-admin "${TO[@]}" ping 2>&1

begin attributes
ask --connect-timeout=5 --init-command='set @a = 3' -e 'select @a'

begin compress
ask -C -N -e 'select repeat("x", 1 << 20)' | md5sum
ask --compress -e 'select 1'

begin dump
if make_schema; then
    dump "$MY_DATABASE" c_parent c_child c_view >"$MY_FOLDER/one.sql"
    echo "of one: $?, $(md5sum <"$MY_FOLDER/one.sql")"
    dump --single-transaction --hex-blob --databases "$MY_DATABASE" | sed -E '/(d|feature)_/d' | md5sum
    dump --tab="$MY_FOLDER" "$MY_DATABASE" c_parent 2>&1 | head -3
    dump --xml "$MY_DATABASE" c_parent | md5sum
    mariadb-dump "${TO[@]}" --opt --skip-dump-date -R --comments=0 --ignore-table-data="$MY_DATABASE.d_types" "$MY_DATABASE" >"$MY_FOLDER/all.sql"
    echo "of all: $?, $(md5sum <"$MY_FOLDER/all.sql")"
    drop_schema
    ask <"$MY_FOLDER/all.sql"
    echo "restored: $?"
    mariadb-dump "${TO[@]}" --opt --skip-dump-date -R --comments=0 --ignore-table-data="$MY_DATABASE.d_types" "$MY_DATABASE" >"$MY_FOLDER/again.sql"
    cmp "$MY_FOLDER/all.sql" "$MY_FOLDER/again.sql" && echo "equal byte for byte"
    ask -e 'call c_proc(1, @b); select @b, c_func(4); select * from c_view; checksum table c_parent, c_child'
    drop_schema
fi 2>&1

begin cancel
mariadb "${TO[@]}" "$MY_DATABASE" -e 'select sleep(4); select 2' >"$MY_FOLDER/slept" 2>&1 &
CLIENT=$!
sleep 1
kill -INT "$CLIENT"
wait "$CLIENT"
echo "ended $?"
cat "$MY_FOLDER/slept"

begin infile
ask --local-infile=1 -e "load data local infile '$MY_FOLDER/rows.txt' into table d_loaded; select * from d_loaded"

echo end
